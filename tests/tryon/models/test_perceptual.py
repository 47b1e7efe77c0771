"""The perceptual loss: which layers and weights, truncated files, float16, what VGG gets, where it comes from."""

import pytest
import torch
import torchvision
from torch.nn import functional as F

from seg_vton.errors import UserError
from seg_vton.tryon.models import TOM, PerceptualLoss, perceptual

RELUS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}


@pytest.fixture(scope="module")
def vgg():
    """torchvision's own VGG19 with random weights; its classifier would take most of the time and is left out."""
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"])
    return features.requires_grad_(False)


def save(vgg, path, until=37, dtype=torch.float32):
    state = {f"features.{k}": v.to(dtype) for k, v in vgg.state_dict().items() if int(k.split(".")[0]) < until}
    torch.save(state, path)
    return str(path)


def loaded(*args, **kwargs):
    loss = PerceptualLoss(*args, **kwargs)
    loss.init_weights()
    return loss


def expected_loss(vgg, a, b, last=29):
    total = 0
    for index, layer in enumerate(vgg[: last + 1]):
        a, b = layer(a.clone()), layer(b.clone())
        if index in RELUS:
            total = total + RELUS[index] * (a - b).abs().mean()
    return total


def test_five_layers_with_their_weights(vgg, tmp_path):
    loss = loaded(save(vgg, tmp_path / "vgg19.pth"), loss_weight=2.0)
    a, b = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(loss(a, b), 2 * expected_loss(vgg, a, b))
    assert loss.layers == list(RELUS)


def test_only_the_prediction_gets_a_gradient(vgg, tmp_path):
    loss = loaded(save(vgg, tmp_path / "vgg19.pth", until=8))
    a, b = torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 3, 16, 16, requires_grad=True)
    loss(a, b).backward()
    assert a.grad.abs().sum() > 0
    assert b.grad is None


def test_a_truncated_file_serves_as_far_as_it_goes_and_says_so(vgg, tmp_path, monkeypatch):
    path = save(vgg, tmp_path / "part.pth", until=17)  # conv3_4, as far as some conversions go
    said = []
    monkeypatch.setattr(perceptual, "print_log", lambda message, logger: said.append(message))
    loss = loaded(path)
    assert said == [f"perceptual loss from {path}: relu1_1, relu2_1, relu3_1"]
    a, b = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loss(a, b), expected_loss(vgg, a, b, last=11))
    assert len(loss.vgg) == 12


def test_float16_is_cast_and_features_alone_are_read(vgg, tmp_path):
    path = tmp_path / "half.pth"
    torch.save({key: value.half() for key, value in vgg[:9].state_dict().items()}, path)
    loss = loaded(str(path))
    assert loss.layers == [1, 6]
    assert loss.vgg[0].weight.dtype == torch.float32
    torch.testing.assert_close(loss.vgg[0].weight, vgg[0].weight, atol=1e-3, rtol=1e-2)


def test_what_vgg_gets(vgg, tmp_path):
    path = save(vgg, tmp_path / "vgg19.pth", until=3)
    a, b = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)  # in [0, 1]
    normalize = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    given = {
        "published": lambda x: 2 * x - 1,
        "imagenet": normalize,
        "caffe": lambda x: x.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1),
    }
    for name, convert in given.items():
        loss = loaded(path, input_range=name)
        torch.testing.assert_close(loss(2 * a - 1, 2 * b - 1), expected_loss(vgg, convert(a), convert(b), last=1))
    with pytest.raises(UserError, match="published, imagenet, caffe"):
        PerceptualLoss(path, input_range="rgb")


def test_tom_is_built_and_tested_without_weights_and_reads_torchvisions_when_a_training_starts(
    vgg, tmp_path, inputs, monkeypatch
):
    model = TOM(base_channels=2, loss_perceptual=dict(type="PerceptualLoss"))
    inputs |= {"warped_cloth": inputs["cloth"], "warped_mask": inputs["cloth_mask"]}
    assert model.eval()(inputs, mode="predict")
    with pytest.raises(RuntimeError, match="init_weights"):
        model(inputs, mode="loss")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def offline(address, *args):
        raise OSError(f"no route to {address}")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(
        UserError, match=r"vgg19-\w+\.pth.*model\.loss_perceptual\.weights=FILE.*model\.loss_perceptual=None"
    ):
        model.init_weights()
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda address, target, prefix: save(vgg, target, until=8))
    model.init_weights()
    assert model.loss_perceptual.layers == [1, 6]
    assert "loss_perceptual" in model(inputs, mode="loss")


def test_it_is_no_part_of_tom(vgg, tmp_path, inputs):
    config = dict(type="PerceptualLoss", weights=save(vgg, tmp_path / "vgg19.pth", until=8))
    model = TOM(base_channels=2, loss_perceptual=config)
    model.init_weights()
    assert len(model.state_dict()) == len(list(model.parameters())) == 24
    inputs |= {"warped_cloth": inputs["cloth"], "warped_mask": inputs["cloth_mask"]}
    losses, outputs = model(inputs, mode="loss"), model(inputs)
    expected = expected_loss(vgg, outputs["try_on"], inputs["image"], last=6)
    torch.testing.assert_close(losses["loss_perceptual"], expected)
    model.double()
    assert model.loss_perceptual.vgg[0].weight.dtype == torch.float64


def test_files_that_are_no_vgg19_are_refused(vgg, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        loaded(str(tmp_path / "gone.pth"))
    wrong = {"features.0.weight": torch.zeros(64, 3, 11, 11), "features.0.bias": torch.zeros(64)}
    torch.save(wrong, tmp_path / "alexnet.pth")
    with pytest.raises(UserError, match=r"alexnet\.pth holds no VGG19"):
        loaded(str(tmp_path / "alexnet.pth"))


def test_an_image_through_the_loss_changes_with_its_target(vgg, tmp_path):
    loss = loaded(save(vgg, tmp_path / "vgg19.pth", until=8))
    image = F.interpolate(torch.rand(1, 3, 4, 4), (32, 32))
    assert loss(image, image) == 0
    assert loss(image, image.roll(5, 3)) > 0
