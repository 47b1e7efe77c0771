"""What both stages share: the preprocessor, an auxiliary decoder of one's own, label spaces that must agree."""

import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.structures import BaseDataElement

from seg_vton.errors import UserError
from seg_vton.registry import MODELS, build_model
from seg_vton.tryon.models import GMM, TOM, TryOnDataPreprocessor

STAGES = {
    "GMM": (GMM, dict(image_size=(64, 64), base_channels=2), [(32,), 16]),
    "TOM": (TOM, dict(base_channels=2), [(16, 16, 16, 8, 4, 2), 64]),
}


@pytest.fixture
def linear_head():
    """A head that shares nothing with `AuxSegHead`: two labels from the coarsest features, a loss of its own name."""

    class LinearHead(torch.nn.Module):
        label_space = "doll2"

        def __init__(self, in_channels, stride):
            super().__init__()
            self.built_with = [in_channels, stride]
            self.score = torch.nn.Conv2d(in_channels[0], 2, 1)

        def forward(self, features, size):
            return torch.nn.functional.interpolate(self.score(features[0]), size)

        def loss(self, logits, parse, data_samples):
            weights = torch.tensor([sample.weight for sample in data_samples])
            return {"loss_own": (weights * logits.square().mean((1, 2, 3))).sum(), "labels": parse.max()}

    MODELS.register_module(module=LinearHead)
    yield dict(type="LinearHead")
    MODELS.module_dict.pop("LinearHead")


def samples(label_space):
    return [BaseDataElement(metainfo=dict(label_space=label_space, weight=float(i))) for i in range(2)]


@pytest.mark.parametrize("stage", STAGES)
def test_any_module_can_be_the_auxiliary_decoder(stage, linear_head, inputs):
    model, settings, built_with = STAGES[stage]
    model = model(**settings, aux_head=linear_head)
    inputs = {**inputs, "parse": inputs["parse"] % 2}
    if stage == "TOM":
        inputs |= {"warped_cloth": inputs["cloth"], "warped_mask": inputs["cloth_mask"]}
    assert model.aux_head.built_with == built_with
    losses = model(inputs, samples("doll2"), mode="loss")
    torch.testing.assert_close(losses["loss_own"], model(inputs)["seg_logits"][1].square().mean())
    losses["loss_own"].backward()
    assert model.aux_head.score.weight.grad.any()
    predicted = model.eval()(inputs, samples("doll2"), mode="predict")
    assert predicted[0].seg_map.shape == (64, 64)
    for mode in ("loss", "predict"):
        with pytest.raises(UserError, match=r"label space tryon8 and the auxiliary head is of doll2: set"):
            model(inputs, samples("tryon8"), mode=mode)


def items():
    names = ("a", "b")
    return [
        dict(inputs=dict(cloth=torch.rand(3, 4, 4)), data_samples=BaseDataElement(metainfo=dict(person=name)))
        for name in names
    ]


def test_both_collations_give_the_same_batch():
    batch = items()
    preprocessor = build_model(dict(type="TryOnDataPreprocessor"))
    stacked = torch.stack([item["inputs"]["cloth"] for item in batch])
    for collate in (default_collate, pseudo_collate):
        data = preprocessor(collate(batch))
        assert torch.equal(data["inputs"]["cloth"], stacked)
        assert [sample.person for sample in data["data_samples"]] == ["a", "b"]


def test_it_moves_to_the_models_device():
    model = GMM(image_size=(64, 64), base_channels=2)
    assert isinstance(model.data_preprocessor, TryOnDataPreprocessor)
    model.to("meta")
    assert model.data_preprocessor(default_collate(items()))["inputs"]["cloth"].is_meta
