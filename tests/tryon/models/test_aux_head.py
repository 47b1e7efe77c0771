"""The auxiliary decoder: weights by class name, pixels without a label, label spaces."""

import pytest
import torch
from torch.nn import functional as F

from seg_vton import labels
from seg_vton.errors import UserError
from seg_vton.tryon.models.aux_head import AuxSegHead


@pytest.fixture
def head():
    return AuxSegHead((6,), 16, class_weight=dict(background=1.5, skin=3.0), base_channels=4, loss_weight=0.5)


def test_class_weights_go_by_name_in_every_label_space():
    head = AuxSegHead((6,), 16, class_weight=dict(background=1.5, skin=1.5))
    assert head.class_weight.tolist() == [1.5, 1, 1, 1.5, 1, 1, 1, 1]
    weights = AuxSegHead((6,), 16, label_space="lip20", class_weight={"left-arm": 4.0}).class_weight
    assert weights[labels.get_space("lip20").id_of("left-arm")] == 4
    assert weights.sum() == 23
    with pytest.raises(UserError, match="lip20 has no label 'skin'"):
        AuxSegHead((6,), 16, label_space="lip20", class_weight=dict(skin=1.5))


def test_the_loss_is_the_weighted_mean_over_labeled_pixels(head):
    logits, parse = torch.randn(2, 8, 5, 4), torch.randint(0, 8, (2, 5, 4))
    parse[0, :2] = 255
    weight, total, sums = {0: 1.5, 3: 3.0}, 0.0, 0.0
    for b, y, x in (parse != 255).nonzero().tolist():
        label = parse[b, y, x].item()
        sums += weight.get(label, 1.0) * -logits[b, :, y, x].log_softmax(0)[label].item()
        total += weight.get(label, 1.0)
    losses = head.loss(logits, parse)
    assert losses["loss_seg"].item() == pytest.approx(0.5 * sums / total, rel=1e-5)
    right = (logits.argmax(1) == parse)[parse != 255].float().mean()
    torch.testing.assert_close(losses["aux_pixel_accuracy"], right)


def test_pixels_without_a_label_get_no_gradient_and_a_batch_of_them_costs_nothing(head):
    logits, parse = torch.randn(1, 8, 4, 4, requires_grad=True), torch.randint(0, 8, (1, 4, 4))
    parse[0, 1] = 255
    head.loss(logits, parse)["loss_seg"].backward()
    assert not logits.grad[0, :, 1].any()
    assert logits.grad[0, :, 0].any()
    losses = head.loss(logits, torch.full((1, 4, 4), 255))
    assert losses["loss_seg"].item() == 0
    losses["loss_seg"].backward()
    assert logits.grad.isfinite().all()


def test_it_learns_a_segmentation():
    torch.manual_seed(0)
    head = AuxSegHead((8, 4), 8, base_channels=8)
    parse = torch.zeros(1, 32, 24, dtype=torch.long)
    parse[:, 8:24, 6:18] = 4
    features = [torch.randn(1, 8, 4, 3), F.interpolate(F.one_hot(parse, 8).movedim(-1, 1)[:, 4:].float(), (8, 6))]
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(60):
        losses = head.loss(head(features, (32, 24)), parse)
        optimizer.zero_grad()
        losses["loss_seg"].backward()
        optimizer.step()
    assert losses["aux_pixel_accuracy"] > 0.9


def test_the_weights_are_no_part_of_a_checkpoint(head):
    assert "class_weight" not in head.state_dict()
