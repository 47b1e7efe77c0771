import json

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask

from seg_vton.data.coco_files import CocoBuilder
from seg_vton.data.paper_doll.doll import draw_doll
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, convert
from seg_vton.parsing.evaluation import LabelMapIoU, confusion_matrix, judge_label_maps, merge_confusion, summarize
from seg_vton.tryon.metrics.overlap import class_ious


def slow_numbers(predicted, truth, classes):
    """IoU by class, mIoU and pixel accuracy by sets of pixels."""
    ious = {}
    for index in range(classes):
        found = {tuple(p) for p in np.argwhere((predicted == index) & (truth != 255))}
        real = {tuple(p) for p in np.argwhere(truth == index)}
        if real:
            ious[index] = len(found & real) / len(found | real)
    judged = truth != 255
    return ious, sum(ious.values()) / len(ious), np.mean(predicted[judged] == truth[judged])


@pytest.mark.parametrize("seed", range(3))
def test_against_sets_of_pixels(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 4, 255], (30, 20)).astype(np.uint8)
    predicted = np.where(rng.random((30, 20)) < 0.6, truth, rng.choice([0, 1, 3, 4], (30, 20))).astype(np.uint8)
    predicted[truth == 255] = 4
    ious, mean, accuracy = slow_numbers(predicted, truth, 6)
    parts = [confusion_matrix(predicted[rows], truth[rows], 6) for rows in (slice(10), slice(10, 30))]
    summary = summarize(np.sum(parts, axis=0), "abcdef")
    for index, name in enumerate("abcdef"):
        assert summary["per_class"][name]["iou"] == pytest.approx(ious.get(index))
    assert summary["metrics"]["mIoU"] == pytest.approx(mean)
    assert summary["per_class"]["d"]["predicted_pixels"] > summary["per_class"]["d"]["pixels"] == 0
    assert summary["metrics"]["pixel_accuracy"] == pytest.approx(accuracy)
    assert summary["per_class"]["f"] == {"iou": None, "accuracy": None, "pixels": 0, "predicted_pixels": 0}
    recalls = [np.mean(predicted[truth == i] == i) for i in (0, 1, 2, 4)]
    assert summary["metrics"]["mean_accuracy"] == pytest.approx(np.mean(recalls))
    garments = (truth != 255) & (truth != 0)
    assert summary["metrics"]["foreground_accuracy"] == pytest.approx(np.mean((predicted == truth)[garments]))
    assert summary["metrics"]["mIoU_foreground"] == pytest.approx(np.mean([v for i, v in ious.items() if i]))


def test_both_halves_mean_the_same_by_miou():
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 9, (6, 6))
    confusion[3], confusion[4], confusion[:, 4] = 0, 0, 0  # only predicted; nowhere
    found = [row["iou"] for row in summarize(confusion, "abcdef")["per_class"].values()]
    assert found == class_ious(confusion)
    assert found[3:5] == [None, None]


def test_numbers_by_hand():
    truth, predicted = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    summary = summarize(confusion_matrix(predicted, truth, 2), ("background", "top"))
    assert summary["per_class"]["background"]["iou"] == 0.5
    assert summary["per_class"]["top"]["iou"] == pytest.approx(2 / 3)
    assert summary["metrics"]["pixel_accuracy"] == 0.75


def test_converting_the_counts_is_converting_the_maps():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 16, (2, 40, 40), dtype=np.uint8)
    table = convert(np.arange(16, dtype=np.uint8), "deepfashion15", "tryon8")
    merged = merge_confusion(confusion_matrix(predicted, truth, 16), table, 8)
    assert np.array_equal(merged, confusion_matrix(table[predicted], table[truth], 8))


@pytest.mark.parametrize("wrong", [np.zeros((2, 3), int), np.full((2, 2), 5), np.full((2, 2), -1)])
def test_maps_that_cannot_be_counted_are_refused(wrong):
    with pytest.raises(ValueError, match="label map"):
        confusion_matrix(wrong, np.zeros((2, 2), int), 5)


@pytest.fixture(scope="module")
def dolls(tmp_path_factory):
    """Annotation file of three dolls, and the dolls."""
    path = tmp_path_factory.mktemp("dolls") / "val.json"
    builder = CocoBuilder("val")
    drawn = [draw_doll(0, index, (48, 64)) for index in range(3)]
    for index, doll in enumerate(drawn):
        builder.add_label_map(f"{index}.jpg", doll.label_map)
    builder.write(path)
    return path, drawn


def sample(doll, image_id, shift=0, extra=()):
    """A detector's answer: the doll's masks moved to the right, and more."""
    instances = [(n, np.roll(m, shift, 1), 0.9) for n, m in doll.instances] + list(extra)
    names, masks, scores = zip(*instances, strict=True)
    return {
        "img_id": image_id,
        "pred_instances": {
            "bboxes": torch.zeros(len(names), 4),
            "labels": torch.tensor([CLOTHING_CLASSES.index(name) for name in names]),
            "scores": torch.tensor(scores),
            "masks": torch.from_numpy(np.stack(masks)),
        },
    }


def judge(path, samples, classes=CLOTHING_CLASSES, **settings):
    MMLogger.get_instance("test")
    metric = METRICS.build(dict(type="LabelMapIoU", ann_file=str(path), dataset="dolls", split="val", **settings))
    metric.dataset_meta = {"classes": classes}
    for one in samples:
        metric.process(None, [one])
    return metric, metric.evaluate(len(samples))


def test_the_truth_itself_is_right_everywhere(dolls):
    path, drawn = dolls
    metric, numbers = judge(path, [sample(doll, i + 1) for i, doll in enumerate(drawn)], fill_holes=False)
    assert numbers["label_map/mIoU"] == numbers["label_map/pixel_accuracy"] == 1
    assert metric.report["images"] == 3
    assert metric.report["converted"]["tryon8"]["metrics"]["mIoU"] == 1
    assert np.array_equal(metric.render_truth(2), drawn[1].label_map)
    json.dumps(metric.report, allow_nan=False)


def test_a_shifted_prediction_is_judged_as_by_hand(dolls):
    path, drawn = dolls
    metric, numbers = judge(path, [sample(d, i + 1, shift=2) for i, d in enumerate(drawn)], fill_holes=False)
    truth = np.concatenate([doll.label_map for doll in drawn])
    predicted = np.concatenate([np.roll(doll.label_map, 2, 1) for doll in drawn])
    ious, mean, accuracy = slow_numbers(predicted, truth, 16)
    assert numbers["label_map/mIoU"] == pytest.approx(mean)
    assert numbers["label_map/pixel_accuracy"] == pytest.approx(accuracy)
    for index, iou in ious.items():
        assert metric.report["per_class"][DEEPFASHION15.classes[index]]["iou"] == pytest.approx(iou)


def test_low_scores_and_second_instances_are_left_out(dolls):
    path, drawn = dolls
    everywhere = np.ones((64, 48), bool)
    extra = [("hair", everywhere, 0.4), ("skin", everywhere, 0.8)]
    samples = [sample(drawn[0], 1, extra=extra)]
    assert "skin" in dict(drawn[0].instances)
    assert judge(path, samples, fill_holes=False)[1]["label_map/mIoU"] == 1
    assert judge(path, samples, fill_holes=False, one_per_class=False)[1]["label_map/mIoU"] < 1  # skin all over
    assert judge(path, samples, fill_holes=False, score_thr=0.3)[1]["label_map/mIoU"] == 1  # the hair at .9 is the best
    report = judge(path, samples, score_thr=0.3)[0].report
    assert (report["convention"]["score_thr"], report["convention"]["fill_holes"]) == (0.3, True)


def test_crowds_are_not_judged_and_overlapping_truth_follows_the_layers(tmp_path):
    builder = CocoBuilder("val")
    image_id = builder.add_image("a.jpg", 4, 2)
    columns = np.array([[True, True, False, False]] * 2), np.array([[False, True, True, False]] * 2)
    crowd = np.asfortranarray([[0, 0, 1, 1]] * 2, dtype=np.uint8)
    builder.add_mask(image_id, DEEPFASHION15.id_of("outer"), columns[0])
    builder.add_mask(image_id, DEEPFASHION15.id_of("top"), columns[1])
    builder.add_rle(image_id, DEEPFASHION15.id_of("top"), coco_mask.encode(crowd), iscrowd=1)
    builder.write(tmp_path / "val.json")
    metric = LabelMapIoU(str(tmp_path / "val.json"), "a", "val")
    outer, top = DEEPFASHION15.id_of("outer"), DEEPFASHION15.id_of("top")
    assert metric.render_truth(image_id).tolist() == [[outer, outer, top, 255]] * 2


def test_other_images_and_sizes_are_refused(dolls):
    path, drawn = dolls
    with pytest.raises(UserError, match=r"image 99 .* is not in"):
        judge(path, [sample(drawn[0], 99)])
    with pytest.raises(UserError, match=r"says it is \(48, 64\) pixels"):
        judge(path, [sample(draw_doll(0, 0, (64, 96)), 1)])


def test_other_categories_are_judged_in_a_label_space_of_their_own(dolls, tmp_path):
    content = json.loads(dolls[0].read_text())
    names = [f"cat {category['id']}" for category in content["categories"]]
    for category, name in zip(content["categories"], names, strict=True):
        category["name"] = name
    (tmp_path / "cats.json").write_text(json.dumps(content))
    samples = [sample(doll, index + 1) for index, doll in enumerate(dolls[1])]
    metric, numbers = judge(tmp_path / "cats.json", samples, classes=names, fill_holes=False)
    assert numbers["label_map/mIoU"] == 1
    assert list(metric.report["per_class"])[1:] == names
    assert metric.report["converted"] == {}
    with pytest.raises(UserError, match="has no label 'top'"):
        judge(tmp_path / "cats.json", samples)


def test_categories_that_come_twice_and_spaces_without_a_conversion_are_refused(dolls, tmp_path):
    content = json.loads(dolls[0].read_text())
    content["categories"][0]["name"] = "hair"
    (tmp_path / "twice.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="twice: 'hair'"):
        LabelMapIoU(str(tmp_path / "twice.json"), "a", "val")
    with pytest.raises(UserError, match="cannot become lip20"):
        LabelMapIoU(str(dolls[0]), "a", "val", also=["lip20"])


def test_the_evaluator_of_a_config_is_replaced(repo):
    name = "mask-rcnn_r18_fpn_paper-doll.py"
    config = load_config(repo / "configs" / "segmentation" / name)
    judge_label_maps(config, score_thr=0.3)
    assert dict(config.test_evaluator) == {
        "type": "LabelMapIoU",
        "ann_file": "data/paper-doll/annotations/instances_val.json",
        "dataset": "paper-doll",
        "split": "val-label-map",
        "score_thr": 0.3,
    }
    config.test_evaluator = None
    with pytest.raises(UserError, match="test_evaluator has no ann_file, dataset, split"):
        judge_label_maps(config)
