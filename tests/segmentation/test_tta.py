import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData

import seg_vton  # noqa: F401  registers the model

SIZE = (40, 60)  # height, width


class Nothing(BaseModel):
    """Stands where the detector is; merging does not call it."""

    def forward(self, inputs, data_samples=None, mode="tensor"):
        """Never called."""
        raise NotImplementedError


@pytest.fixture
def tta():
    config = {"nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 4}
    return MODELS.build({"type": "InstanceTTAModel", "tta_cfg": config, "module": Nothing()})


def mask(box):
    x1, y1, x2, y2 = box
    result = torch.zeros(SIZE, dtype=torch.bool)
    result[y1:y2, x1:x2] = True
    return result


def mirror(box, direction):
    """The box seen in the flipped image, pixel by pixel."""
    dims = {"horizontal": [1], "vertical": [0], "diagonal": [0, 1]}[direction]
    rows, columns = torch.nonzero(torch.flip(mask(box), dims), as_tuple=True)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def view(instances, direction=None):
    """One view's predictions from `(box, score, label)` in the photograph's frame."""
    boxes = [mirror(box, direction) if direction else box for box, _, _ in instances]
    predicted = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor([score for _, score, _ in instances]),
        labels=torch.tensor([label for _, _, label in instances], dtype=torch.long),
        masks=torch.stack([mask(box) for box in boxes]) if boxes else torch.zeros((0, *SIZE), dtype=torch.bool),
    )
    sample = DetDataSample(pred_instances=predicted)
    sample.set_metainfo({"img_id": 5, "ori_shape": SIZE, "flip": direction is not None, "flip_direction": direction})
    return sample


def triples(sample):
    found = sample.pred_instances
    for box, m in zip(found.bboxes, found.masks, strict=True):
        assert torch.equal(m, mask(box.int().tolist()))  # box and mask were turned together
    return [
        (tuple(box.int().tolist()), pytest.approx(score.item()), label.item())
        for box, score, label in zip(found.bboxes, found.scores, found.labels, strict=True)
    ]


HAT, SHOE, BAG = (3, 2, 20, 11), (30, 25, 55, 39), (5, 20, 14, 38)


@pytest.mark.parametrize("direction", ["horizontal", "vertical", "diagonal"])
def test_views_are_pooled_in_the_frame_of_the_photograph(tta, direction):
    merged = tta.merge_preds([[view([(HAT, 0.6, 8), (BAG, 0.3, 6)], direction), view([(SHOE, 0.9, 11)])]])
    assert triples(merged[0]) == [(SHOE, 0.9, 11), (HAT, 0.6, 8), (BAG, 0.3, 6)]


def test_one_of_each_instance_is_kept_the_surer_one(tta):
    shifted = (4, 2, 21, 11)
    merged = tta.merge_preds([[view([(HAT, 0.6, 8)], "horizontal"), view([(shifted, 0.7, 8)])]])
    assert triples(merged[0]) == [(shifted, 0.7, 8)]


def test_instances_of_two_classes_at_one_place_are_both_kept(tta):
    merged = tta.merge_preds([[view([(HAT, 0.6, 8)], "horizontal"), view([(HAT, 0.5, 12)])]])
    assert triples(merged[0]) == [(HAT, 0.6, 8), (HAT, 0.5, 12)]


def test_no_more_than_max_per_img_the_surest(tta):
    many = [((5 * i, 0, 5 * i + 4, 9), 0.1 + 0.1 * i, i) for i in range(6)]
    merged = tta.merge_preds([[view(many[::2]), view(many[1::2], "horizontal")]])
    assert [label for _, _, label in triples(merged[0])] == [5, 4, 3, 2]


def test_views_without_instances(tta):
    empty, both = tta.merge_preds(
        [[view([]), view([], "horizontal")], [view([], "horizontal"), view([(BAG, 0.3, 6)])]],
    )
    assert triples(empty) == []
    assert empty.pred_instances.masks.shape == (0, *SIZE)
    assert triples(both) == [(BAG, 0.3, 6)]


def test_the_rest_of_the_sample_is_that_of_the_view_that_is_not_flipped(tta):
    """What is painted beside the predictions, the ground truth, must not be mirrored."""
    views = [view([], "horizontal"), view([(HAT, 0.6, 8)])]
    views[0].gt_instances = InstanceData(bboxes=torch.tensor([mirror(HAT, "horizontal")]))
    views[1].gt_instances = InstanceData(bboxes=torch.tensor([HAT]))
    merged = tta.merge_preds([views])[0]
    assert merged.gt_instances.bboxes.tolist() == [list(HAT)]
    assert merged.flip is False
    assert merged.img_id == 5
    assert len(views[1].pred_instances) == 1  # the views themselves stay as they are


def test_a_merged_instance_came_from_the_flipped_view_alone(tta):
    merged = tta.merge_preds([[view([(SHOE, 0.4, 11)], "horizontal")]])
    assert triples(merged[0]) == [(SHOE, 0.4, 11)]


def test_maps_are_of_the_mean_probability_of_the_views(tta):
    logits = torch.randn(2, 16, *SIZE)
    views = [view([]), view([], "horizontal")]
    for one, own in zip(views, (logits[0], logits[1].flip(2)), strict=True):
        one.seg_logits = PixelData(seg_logits=own)
    (merged,) = tta.merge_preds([views])
    assert torch.equal(merged.pred_sem_seg.sem_seg[0].long(), logits.softmax(1).mean(0).argmax(0))
    assert "seg_logits" not in merged
