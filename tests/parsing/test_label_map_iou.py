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
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, TRYON8, convert
from seg_vton.parsing.evaluation import LabelMapIoU, judge_label_maps
from seg_vton.parsing.iou import confusion_matrix, summarize


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
    assert numbers["label_map/mIoU"] == numbers["label_map/pixel_accuracy"] == numbers["label_map/boundary_mIoU"] == 1
    assert metric.report["images"] == 3
    assert metric.report["converted"]["tryon8"]["metrics"]["mIoU"] == 1
    assert np.array_equal(metric.render_truth(2), drawn[1].label_map)
    json.dumps(metric.report, allow_nan=False)


def test_a_shifted_prediction_is_judged_as_by_hand(dolls):
    path, drawn = dolls
    metric, numbers = judge(path, [sample(d, i + 1, shift=2) for i, d in enumerate(drawn)], fill_holes=False)
    truth = np.concatenate([doll.label_map for doll in drawn])
    predicted = np.concatenate([np.roll(doll.label_map, 2, 1) for doll in drawn])

    def numbers_of(space):
        maps = (torch.from_numpy(convert(ids, DEEPFASHION15.name, space.name)) for ids in (predicted, truth))
        return summarize(confusion_matrix(*maps, space), space.classes)

    expected = numbers_of(DEEPFASHION15)
    assert metric.report["converted"] == {"tryon8": numbers_of(TRYON8)}
    assert 0 < numbers.pop("label_map/boundary_mIoU") < numbers["label_map/mIoU"] < 1
    assert {f"label_map/{name}": value for name, value in expected["metrics"].items()} == numbers
    near = {name: row.pop("boundary_iou") for name, row in metric.report["per_class"].items()}
    assert all((near[name] is None) == (row["pixels"] == 0) for name, row in expected["per_class"].items())
    assert metric.report["per_class"] == expected["per_class"]


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
    metric.dataset_meta = {"classes": CLOTHING_CLASSES}
    outer, top = DEEPFASHION15.id_of("outer"), DEEPFASHION15.id_of("top")
    assert metric.render_truth(image_id).tolist() == [[outer, outer, top, 255]] * 2


def test_what_the_model_was_not_trained_on_is_background_as_in_its_training(dolls):
    path, drawn = dolls
    classes = ("skin", "top", "dress")
    samples = []
    for index, doll in enumerate(drawn):
        one = sample(doll, index + 1)
        found = one["pred_instances"]
        names = [CLOTHING_CLASSES[label] for label in found["labels"]]
        kept = [i for i, name in enumerate(names) if name in classes]
        one["pred_instances"] = {key: values[kept] for key, values in found.items()}
        one["pred_instances"]["labels"] = torch.tensor([classes.index(names[i]) for i in kept])
        samples.append(one)
    metric, numbers = judge(path, samples, classes=classes, fill_holes=False)
    assert numbers["label_map/mIoU"] == numbers["label_map/pixel_accuracy"] == 1
    judged = {name for name, row in metric.report["per_class"].items() if row["pixels"]}
    assert {"background", "skin"} < judged <= {"background", *classes}


def test_other_images_and_sizes_are_refused(dolls):
    path, drawn = dolls
    with pytest.raises(UserError, match=r"image 99 .* is not in"):
        judge(path, [sample(drawn[0], 99)])
    with pytest.raises(UserError, match=r"is 64x96, and .* says it is 48x64"):
        judge(path, [sample(draw_doll(0, 0, (64, 96)), 1)])


def test_other_categories_are_judged_in_a_label_space_of_their_own(dolls, tmp_path):
    content = json.loads(dolls[0].read_text())
    names = [f"cat {category['id']}" for category in content["categories"]]
    for category, name in zip(content["categories"], names, strict=True):
        category["name"] = name
    content["categories"].append({"id": 0, "name": "background"})  # as exporters list it
    (tmp_path / "cats.json").write_text(json.dumps(content))
    samples = [sample(doll, index + 1) for index, doll in enumerate(dolls[1])]
    metric, numbers = judge(tmp_path / "cats.json", samples, classes=names, fill_holes=False)
    assert numbers["label_map/mIoU"] == 1
    assert list(metric.report["per_class"])[1:] == names
    assert metric.report["converted"] == {}
    with pytest.raises(UserError, match="has no label 'top'"):
        judge(tmp_path / "cats.json", samples)


def test_categories_that_come_twice_are_refused(dolls, tmp_path):
    content = json.loads(dolls[0].read_text())
    content["categories"][0]["name"] = "hair"
    (tmp_path / "twice.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="twice: 'hair'"):
        LabelMapIoU(str(tmp_path / "twice.json"), "a", "val")


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
    config = load_config(repo / "configs" / "segmentation" / "mask-rcnn_r18_panoptic-carafe-fpn_paper-doll.py")
    judge_label_maps(config)
    assert [(each.split, each.get("source")) for each in config.test_evaluator] == [
        ("val-label-map", None),
        ("val-label-map-semantic", "semantic"),
        ("val-label-map-instances", "instances"),
    ]
    config.test_evaluator = None
    with pytest.raises(UserError, match="test_evaluator has no ann_file, dataset, split"):
        judge_label_maps(config)


def test_each_map_of_a_model_with_a_semantic_head_is_judged(dolls):
    """The semantic map is the truth, the instances lie beside it: accessories are wrong in the fused map alone."""
    path, drawn = dolls
    samples = [sample(doll, index + 1, shift=3) for index, doll in enumerate(drawn)]
    for one, doll in zip(samples, drawn, strict=True):
        one["pred_sem_seg"] = {"sem_seg": torch.from_numpy(doll.label_map[None].astype(np.int16))}
    found = {source: judge(path, samples, source=source) for source in ("semantic", "instances", None)}
    values = [numbers["label_map/mIoU"] for _, numbers in found.values()]
    assert values[0] == 1 > values[2] > values[1]
    assert found[None][0].report["convention"]["map"] == "fused"
    shoes, pants = (found[None][0].report["per_class"][name]["iou"] for name in ("footwear", "pants"))
    assert shoes < 1 == pants
