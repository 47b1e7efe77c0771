"""TOM: the published network and state dict, composition, losses, the second decoder, the frozen warper."""

import copy
from pathlib import Path

import cpvton_reference as published
import pytest
import torch
import torchvision

from seg_vton.errors import UserError
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.tryon.models import GMM, TOM

AUX = dict(type="AuxSegHead", base_channels=8, max_channels=16)
GMM_CONFIG = "model = dict(type='GMM', image_size=(64, 64), base_channels=2, aux_head={aux})\n"


@pytest.fixture
def warped(inputs):
    return {**inputs, "warped_cloth": inputs["cloth"].flip(3), "warped_mask": inputs["cloth_mask"].roll(5, 3)}


@pytest.fixture
def trained_gmm(tmp_path):
    """Config and checkpoint of a GMM with a decoder, as a training writes it; returns them and the model."""
    config, checkpoint = tmp_path / "gmm.py", tmp_path / "iter_1.pth"
    config.write_text(GMM_CONFIG.format(aux="dict(type='AuxSegHead', base_channels=4)"))
    model = GMM(image_size=(64, 64), base_channels=2, aux_head=dict(type="AuxSegHead", base_channels=4)).eval()
    torch.save({"state_dict": model.state_dict(), "meta": {}}, checkpoint)
    return dict(config=str(config), checkpoint=str(checkpoint)), model


def test_the_state_dict_is_the_published_one():
    with torch.device("meta"):
        model = TOM()
    found = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert found == published.tom_shapes()
    assert len(found) == 24
    assert sum(parameter.numel() for parameter in model.parameters()) == 21_349_252


def test_the_official_forward_is_the_published_one(inputs_of):
    model = TOM().eval()
    inputs = inputs_of((256, 192), batch=1)
    with torch.no_grad():
        outputs = model({"agnostic": inputs["agnostic"], "warped_cloth": inputs["cloth"]})
        expected = published.tom(model.state_dict(), inputs["agnostic"], inputs["cloth"])
    assert outputs.keys() == {*expected, "warped_cloth"}
    for name, value in expected.items():
        torch.testing.assert_close(outputs[name], value, atol=1e-5, rtol=0)


def test_the_output_norm_can_be_left_out(warped):
    torch.manual_seed(1)
    with_norm = TOM(base_channels=2)(warped)["mask"].logit()
    torch.manual_seed(1)
    without = TOM(base_channels=2, output_norm=False)(warped)["mask"].logit()
    assert with_norm.mean((2, 3)).abs().max() < 1e-3
    torch.testing.assert_close(published.instance_norm(without), with_norm, atol=1e-2, rtol=0)


def test_widths_that_do_not_divide_by_64_work(inputs_of):
    model = TOM(base_channels=2, aux_head=AUX)
    inputs = inputs_of((128, 96))
    outputs = model({**inputs, "warped_cloth": inputs["cloth"]})
    assert outputs["try_on"].shape == (2, 3, 128, 96)
    assert outputs["seg_logits"].shape == (2, 8, 128, 96)


def test_a_person_representation_of_other_channels(warped):
    model = TOM(base_channels=2, person_channels=1)
    assert model({**warped, "agnostic": warped["agnostic"][:, :1]})["try_on"].shape == (2, 3, 64, 64)
    with pytest.raises(UserError, match=r"TOM was built for person_channels=1 and agnostic has 22"):
        model(warped)


def test_losses_and_their_weights(warped):
    model = TOM(base_channels=2, loss_l1=dict(type="L1Loss", loss_weight=3.0))
    losses, outputs = model(warped, mode="loss"), model(warped)
    assert losses.keys() == {"loss_l1", "loss_mask"}
    torch.testing.assert_close(losses["loss_l1"], 3 * (outputs["try_on"] - warped["image"]).abs().mean())
    torch.testing.assert_close(losses["loss_mask"], (outputs["mask"] - warped["warped_mask"]).abs().mean())
    plus = TOM(base_channels=2, mask_target="parse_cloth_mask")
    expected = (plus(warped)["mask"] - warped["parse_cloth_mask"]).abs().mean()
    torch.testing.assert_close(plus(warped, mode="loss")["loss_mask"], expected)


def test_the_auxiliary_loss_alone_reaches_the_encoder_and_not_the_first_decoder(warped):
    model = TOM(base_channels=2, aux_head=AUX)
    losses = model(warped, mode="loss")
    assert losses.keys() == {"loss_l1", "loss_mask", "loss_seg", "aux_pixel_accuracy"}
    losses["loss_seg"].backward()
    for down, up in zip(published.DOWN, published.UP, strict=True):
        assert model.get_parameter(f"{down}.weight").grad.abs().sum() > 0
        assert model.get_parameter(f"{up}.weight").grad is None


def test_a_frozen_warper_warps_and_is_no_part_of_the_model(inputs, trained_gmm):
    warper, gmm = trained_gmm
    model = TOM(base_channels=2, warper=warper)
    assert model.state_dict().keys() == TOM(base_channels=2).state_dict().keys()
    assert len(list(model.parameters())) == 24
    model.train()
    with torch.no_grad():
        expected = gmm(inputs)
    outputs = model(inputs)
    for name in ("warped_cloth", "warped_mask"):  # equal: batch norm used the running statistics in train mode too
        assert torch.equal(outputs[name], expected[name])
        assert not outputs[name].requires_grad
    before = {name: buffer.clone() for name, buffer in model.warper.named_buffers()}
    model.parse_losses(model(inputs, mode="loss"))[0].backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.warper.named_buffers())
    old = {key: value.clone() for key, value in model.state_dict().items()}  # without versions, as published
    model.load_state_dict(old, strict=True)


def test_the_warper_follows_the_model(inputs, trained_gmm):
    model = TOM(base_channels=2, warper=trained_gmm[0])
    model.double().to(memory_format=torch.channels_last)
    weight = model.warper.network.extractionA.model[3].weight
    assert weight.dtype == torch.float64
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert model.warper.network.tps.basis.dtype == torch.float64
    assert model.to("meta").warper.network.extractionA.model[3].weight.is_meta


def test_published_files_serve_as_warper(inputs, tmp_path):
    config, checkpoint = tmp_path / "gmm.py", tmp_path / "gmm_final.pth"
    config.write_text(GMM_CONFIG.format(aux=None))
    gmm = GMM(image_size=(64, 64), base_channels=2).eval()
    old = {key: value for key, value in gmm.state_dict().items() if not key.endswith("num_batches_tracked")}
    torch.save(old, checkpoint, _use_new_zipfile_serialization=False)
    model = TOM(base_channels=2, warper=dict(config=str(config), checkpoint=str(checkpoint)))
    assert torch.equal(model(inputs)["warped_cloth"], gmm(inputs)["warped_cloth"])


def test_exported_warps_come_before_the_warper(warped, trained_gmm):
    model = TOM(base_channels=2, warper=dict(trained_gmm[0], checkpoint="gone.pth"))
    assert torch.equal(model(warped)["warped_cloth"], warped["warped_cloth"])


@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ("train_cfg = dict(max_iters=30)", "work_dirs/gmm/iter_30.pth"),
        ("train_cfg = dict(max_epochs=2)\nwork_dir = 'runs'", "runs/epoch_2.pth"),
    ],
)
def test_the_warpers_checkpoint_is_where_its_training_ends(inputs, trained_gmm, tmp_path, monkeypatch, settings, file):
    monkeypatch.chdir(tmp_path)
    (warper, gmm), config = trained_gmm, Path("gmm.py")
    config.write_text(f"{config.read_text()}{settings}\n")
    model = TOM(base_channels=2, warper=dict(config="gmm.py"))
    with pytest.raises(UserError, match=rf"{file} does not exist: train it with `python tools/train\.py gmm\.py`"):
        model(inputs)
    Path(file).parent.mkdir(parents=True)
    Path(warper["checkpoint"]).rename(file)
    assert torch.equal(model(inputs)["warped_cloth"], gmm(inputs)["warped_cloth"])


def test_a_checkpoint_that_is_missing_or_does_not_fit_is_refused(inputs, trained_gmm, tmp_path):
    warper, _ = trained_gmm
    with pytest.raises(UserError, match=r"no warped_cloth and has no warper: set model\.warper\.config"):
        TOM(base_channels=2)(inputs)
    with pytest.raises(UserError, match=r"gmm\.py has no train_cfg"):
        TOM(base_channels=2, warper=dict(config=warper["config"]))(inputs)
    with pytest.raises(UserError, match=r"gone\.pth does not exist.*tools/train\.py"):
        TOM(base_channels=2, warper=dict(warper, checkpoint=str(tmp_path / "gone.pth")))(inputs)
    Path(warper["config"]).write_text(GMM_CONFIG.format(aux=None))
    with pytest.raises(UserError, match=r"iter_1\.pth does not fit.*unexpected: aux_head"):
        TOM(base_channels=2, warper=warper)(inputs)
    with pytest.raises(UserError, match="mask_target"):
        TOM(mask_target="cloth_mask")


@pytest.mark.parametrize("size", [(128, 96), (256, 192)])
def test_fast_forms_on_the_cpu_reach_the_warper_and_vgg_too_and_change_nothing(size, inputs_of, tmp_path):
    (tmp_path / "gmm.py").write_text(f"model = dict(type='GMM', image_size={size}, base_channels=16)")
    torch.save(GMM(image_size=size, base_channels=16).state_dict(), tmp_path / "gmm.pth")
    vgg = torchvision.models.vgg.make_layers([64, 64, "M", 128, 128])
    torch.save(vgg.state_dict(), tmp_path / "vgg19.pth")
    plain = TOM(
        AUX,
        dict(config=str(tmp_path / "gmm.py"), checkpoint=str(tmp_path / "gmm.pth")),
        base_channels=16,
        loss_perceptual=dict(type="PerceptualLoss", weights=str(tmp_path / "vgg19.pth")),
    )
    fast = copy.deepcopy(plain)
    use_cpu_forms(fast)
    forms = {name: type(layer).__name__ for name, layer in fast.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    assert forms["warper.network.extractionA.model.12"] == forms["loss_perceptual.vgg.7"] == "WinogradConv2d"
    assert list(forms.values()).count("ResizeConv2d") == 6
    assert fast.state_dict().keys() == plain.state_dict().keys()
    losses, inputs = [], inputs_of(size)
    for model in (plain, fast):
        model.init_weights()
        losses.append({name: value.item() for name, value in model(inputs, mode="loss").items()})
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("aux", [None, AUX])
def test_it_trains_under_autocast_and_keeps_colors_in_float32(warped, aux):
    model = TOM(base_channels=2, aux_head=aux)
    use_cpu_forms(model)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(warped)
        losses = model(warped, mode="loss")
    assert {outputs[name].dtype for name in ("rendered", "mask", "try_on")} == {torch.float32}
    sum(value for name, value in losses.items() if "loss" in name).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
