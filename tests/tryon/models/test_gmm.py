"""GMM: the published network and state dict, the forward's contract, the auxiliary decoder, refusals."""

import cpvton_reference as published
import pytest
import torch
from mmengine.structures import BaseDataElement

from seg_vton.errors import UserError
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.tryon.models import GMM

AUX = dict(type="AuxSegHead", base_channels=8, max_channels=16)
TINY = dict(image_size=(64, 64), base_channels=4)


def liven(model):
    """Batch norm's statistics and the regressor's size as if trained, so that the garment moves visibly."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    model.regression.linear.weight.data.mul_(5)
    return model.eval()


def test_the_state_dict_is_the_published_one():
    with torch.device("meta"):
        model = GMM()
    found = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert found == published.gmm_shapes()
    assert len(found) == 104
    assert sum(parameter.numel() for parameter in model.parameters()) == 19_057_650


def test_the_official_forward_is_the_published_one(inputs_of):
    model = liven(GMM(align_corners=False))
    use_cpu_forms(model)
    inputs = inputs_of((256, 192), batch=3)  # enough tiles for Winograd
    with torch.no_grad():
        outputs = model(inputs)
        expected = published.gmm(model.state_dict(), inputs["agnostic"], inputs["cloth"], inputs["cloth_mask"])
    assert expected["theta"].abs().max() > 0.1
    assert outputs.keys() == expected.keys()
    for name, value in expected.items():
        # A mask steps from 0 to 1 between pixels, so it shows the grid's own rounding 128 times over.
        atol = 1e-4 if name == "warped_mask" else 1e-5
        torch.testing.assert_close(outputs[name], value, atol=atol, rtol=0)


def test_checkpoints_from_before_num_batches_tracked_load():
    model = GMM(**TINY)
    old = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    GMM(**TINY).load_state_dict(old, strict=True)


def test_initial_weights_follow_the_published_code():
    model = GMM(image_size=(64, 64))
    assert model.extractionA.model[9].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.extractionA.model[11].weight.mean().item() == pytest.approx(1, abs=0.01)


def test_corners_stay_where_they_are_with_ours_and_shrink_with_the_published_sampler(inputs):
    sampled = {}
    for align in (True, False):
        model = GMM(**TINY, align_corners=align).eval()
        model.regression.linear.weight.data.zero_()
        model.regression.linear.bias.data.zero_()
        with torch.no_grad():
            sampled[align] = model(inputs)["warped_cloth"]
    torch.testing.assert_close(sampled[True], inputs["cloth"], atol=1e-5, rtol=0)
    assert (sampled[False] - inputs["cloth"]).abs().max() > 1e-3


def test_outside_the_garment_its_border_goes_on_and_its_mask_ends(inputs):
    model = GMM(**TINY).eval()
    model.regression.linear.weight.data.zero_()
    model.regression.linear.bias.data.copy_(torch.tensor([20.0] * 25 + [0.0] * 25))  # a whole half to the right
    inputs["cloth_mask"].fill_(1)
    with torch.no_grad():
        outputs = model(inputs)
    torch.testing.assert_close(outputs["warped_cloth"][..., 40:], inputs["cloth"][..., -1:].expand(-1, -1, -1, 24))
    assert not outputs["warped_mask"][..., 40:].any()


def test_every_parameter_learns_and_the_loss_is_l1_of_the_warped_garment(inputs):
    model = GMM(**TINY)
    losses = model(inputs, mode="loss")
    assert losses.keys() == {"loss_warp"}
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    expected = (GMM.generate(model, inputs)["warped_cloth"] - inputs["parse_cloth"]).abs().mean()
    torch.testing.assert_close(losses["loss_warp"], expected, atol=1e-5, rtol=0)


def test_weights_that_diverged_give_a_loss_that_says_so(inputs):
    """torch's sampler takes NaN for -1 on a GPU, and ends the process in its backward pass on a CPU (2.11)."""
    model = GMM(**TINY)
    model.regression.linear.bias.data[7] = torch.nan
    loss = model(inputs, mode="loss")["loss_warp"]
    loss.backward()
    assert loss.isnan()
    assert model.regression.linear.bias.grad[7].isnan()  # and so the next weights, which are not saved


def test_the_auxiliary_loss_alone_reaches_both_extractors_and_not_the_regressor(inputs):
    model = GMM(**TINY, aux_head=AUX)
    model(inputs, mode="loss")["loss_seg"].backward()
    assert all(p.grad.abs().sum() > 0 for e in (model.extractionA, model.extractionB) for p in e.parameters())
    assert all(p.grad is None for p in model.regression.parameters())


def test_the_decoder_does_not_change_the_other_layers_first_weights():
    torch.manual_seed(3)
    plain = GMM(**TINY).state_dict()
    torch.manual_seed(3)
    with_head = GMM(**TINY, aux_head=AUX).state_dict()
    assert all(torch.equal(with_head[key], value) for key, value in plain.items())


def test_predictions_keep_names_and_split_the_batch(inputs):
    model = GMM(**TINY, aux_head=AUX).eval()
    samples = [BaseDataElement(metainfo=dict(person=f"p{i}", garment="g", paired=True)) for i in range(2)]
    with torch.no_grad():
        tensors, predictions = model(inputs), model(inputs, samples, mode="predict")
    assert [p.person for p in predictions] == ["p0", "p1"]
    for i, prediction in enumerate(predictions):
        assert set(prediction.keys()) == {"theta", "grid", "warped_cloth", "warped_mask", "seg_map"}
        assert torch.equal(prediction.warped_mask, tensors["warped_mask"][i])
        assert torch.equal(prediction.seg_map, tensors["seg_logits"][i].argmax(0))
    assert prediction.seg_map.shape == (64, 64)


@pytest.mark.parametrize("size", [(128, 96), (72, 90)])
def test_the_regressor_follows_the_image_size(size, inputs_of):
    model = GMM(image_size=size, base_channels=2, grid_size=3, aux_head=AUX)
    outputs = model(inputs_of(size))
    assert outputs["theta"].shape == (2, 18)
    assert outputs["warped_cloth"].shape == (2, 3, *size)
    assert outputs["seg_logits"].shape == (2, 8, *size)


def test_the_grid_regulariser_is_optional(inputs):
    model = GMM(**TINY, loss_grid=dict(type="GridIntervalLoss", loss_weight=2.0))
    assert model(inputs, mode="loss").keys() == {"loss_warp", "loss_grid"}


def test_a_known_warp_is_a_second_target(inputs):
    model = GMM(**TINY, loss_theta=dict(type="L1Loss", loss_weight=4.0))
    theta = torch.linspace(-0.5, 0.5, 50).expand(len(inputs["cloth"]), -1)
    found = model({**inputs, "theta": theta}, mode="loss")
    assert found.keys() == {"loss_warp", "loss_theta"}
    model.zero_grad()
    found["loss_theta"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.regression.linear.weight.data.zero_()
    model.regression.linear.bias.data.zero_()  # no offset at all
    unmoved = model({**inputs, "theta": theta}, mode="loss")["loss_theta"]
    torch.testing.assert_close(unmoved, 4 * theta.abs().mean())
    with pytest.raises(UserError, match="no 'theta'"):
        model(inputs, mode="loss")
    other = GMM(**TINY, grid_size=6, loss_theta=dict(type="L1Loss"))
    with pytest.raises(UserError, match="the known warps have 50 offsets and GMM's grid has 72: set"):
        other({**inputs, "theta": theta}, mode="loss")


def test_a_person_representation_of_other_channels(inputs):
    model, other = GMM(**TINY, person_channels=25), torch.randn(2, 25, 64, 64)
    assert model({**inputs, "agnostic": other}).keys() == GMM(**TINY)(inputs).keys()
    with pytest.raises(UserError, match=r"GMM was built for person_channels=25 and agnostic has 22"):
        model(inputs)


def test_faults_are_named(inputs):
    with pytest.raises(UserError, match="64 x 64"):
        GMM(image_size=(48, 64))
    with pytest.raises(UserError, match=r"image_size=\(128, 96\).*\(64, 64\)"):
        GMM(image_size=(128, 96), base_channels=2)(inputs)
    with pytest.raises(UserError, match=r"no 'parse_cloth'.*agnostic, cloth"):
        GMM(**TINY)({name: inputs[name] for name in ("agnostic", "cloth")}, mode="loss")
    with pytest.raises(ValueError, match="'losses'"):
        GMM(**TINY)(inputs, mode="losses")
