"""The data preprocessor: both of mmengine's collations, device, names."""

import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.structures import BaseDataElement

from seg_vton.registry import build_model
from seg_vton.tryon.models import GMM, TryOnDataPreprocessor


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
