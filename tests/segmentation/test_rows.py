import re
from pathlib import Path

import pytest
from mmengine.config import Config

import seg_vton  # noqa: F401  before mmdet
from seg_vton.analysis.paper import find_row
from seg_vton.engine.halves import half_of
from seg_vton.segmentation.rows import describe_row

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "segmentation").glob("mask-rcnn_r50_*.py"))
NECKS = {
    "fpn": "FPN",
    "fpn_coco-pretrained": "FPN",
    "carafe-fpn": "CARAFE-FPN",
    "fpn-carafe-nearest": "FPN + conv P6 (nearest)",
    "carafe-neck-only": "CARAFE, neck only",
    "carafe-mask-head-only": "CARAFE, mask head only",
    "panoptic-fpn": "panoptic FPN",
    "panoptic-fpn-jitter": "panoptic FPN",
    "panoptic-fpn-balanced": "panoptic FPN",
    "panoptic-fpn-carafe-branch": "panoptic FPN, CARAFE in the branch",
    "panoptic-carafe-fpn": "panoptic CARAFE-FPN",
}


def read(path):
    return Config.fromfile(path, import_custom_modules=False)


def named(word):
    return read(next(path for path in CONFIGS if word in path.stem))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_facts_are_those_of_the_file_name(path):
    neck, optimizer, rate, epochs = re.fullmatch(
        r"mask-rcnn_r50_(.+)_(sgd|adam)-lr([\d.]+)(?:_half-res)?_(\d+)e_\w+", path.stem
    ).groups()
    row = describe_row(read(path))
    assert row["neck"] == NECKS[neck]
    assert row["optimizer"].lower() == optimizer
    assert (row["learning_rate"], row["epochs"]) == (float(rate), int(epochs))
    assert row["image_scale"] == ([550, 550] if "half-res" in path.stem else [750, 1101])
    assert bool(row["detector_weights"]) == ("coco-pretrained" in path.stem)
    assert (row["backbone"], row["precision"], row["test_time_augmentation"]) == ("ResNet-50", "float32", False)


def test_changed_settings_of_carafe_are_in_the_name():
    config = named("r50_carafe-fpn")
    config.merge_from_dict({"model.neck.upsample_cfg.up_kernel": 7})
    assert describe_row(config)["neck"] == "CARAFE-FPN, neck's up_kernel 7"
    config.merge_from_dict({"model.roi_head.mask_head.upsample_cfg.compressed_channels": 16})
    assert describe_row(config)["neck"] == "CARAFE-FPN, neck's up_kernel 7, mask head's compressed_channels 16"


def test_what_the_training_changed_counts():
    config, trained = named("sgd-lr0.02"), named("sgd-lr0.02")
    trained.merge_from_dict({"optim_wrapper.type": "BFloat16OptimWrapper", "optim_wrapper.optimizer.lr": 0.03})
    row = describe_row(config, trained)
    assert (row["precision"], row["learning_rate"]) == ("bfloat16", 0.03)
    config.test_dataloader.dataset.pipeline[1].scale = (100, 200)
    assert describe_row(config, trained)["image_scale"] == [100, 200]


def test_a_resumed_training_keeps_where_it_started_from():
    config, resumed = named("coco-pretrained"), named("coco-pretrained")
    resumed.merge_from_dict({"load_from": "work_dirs/row/epoch_1.pth", "resume": True})
    row = describe_row(config, resumed)
    assert row["detector_weights"] == "mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth"


def test_test_time_augmentation_is_a_fact_of_the_row():
    config = named("sgd-lr0.02")
    plain = describe_row(config)
    half_of(config).enable_tta(config)
    assert describe_row(config) == plain | {"test_time_augmentation": True}


def test_an_unknown_architecture_is_spelled_out():
    config = named("carafe-neck-only")
    config.model.neck.upsample_cfg.type = "bilinear"
    assert describe_row(config)["neck"] == "FPN_CARAFE (bilinear), mask head deconv"


OTHERS = {
    "FPN, CascadeRoIHead": {"roi_head": {"type": "CascadeRoIHead"}},
    "FPN, MyMaskHead": {"roi_head.mask_head.type": "MyMaskHead"},
    "FPN + BFP (nearest), mask head deconv": {
        "neck": [{"type": "FPN", "upsample_cfg": {"mode": "nearest"}}, {"type": "BFP"}]
    },
    "LateralNeck, mask head deconv": {"neck.type": "LateralNeck"},
    "no neck, mask head deconv": {"neck": None},
    "FPN (nearest), mask head None": {"roi_head.mask_head": None},
}


@pytest.mark.parametrize("name", OTHERS)
def test_parts_of_ones_own_are_named_and_are_not_the_papers_row(name):
    config = named("sgd-lr0.02")
    assert find_row(describe_row(config), "deepfashion", "val")
    for key, value in OTHERS[name].items():
        config.merge_from_dict({f"model.{key}": value})
    row = describe_row(config)
    assert row["neck"] == name
    assert find_row(row, "deepfashion", "val") is None


def test_a_cascade_has_a_head_for_each_stage():
    config = named("sgd-lr0.02")
    for head in ("bbox_head", "mask_head"):
        config.model.roi_head[head] = [config.model.roi_head[head]] * 3
    config.model.roi_head.type = "HybridTaskCascadeRoIHead"
    assert describe_row(config)["neck"] == "FPN, HybridTaskCascadeRoIHead"


@pytest.mark.parametrize("key", ["model.backbone.depth", "train_dataloader.dataset.pipeline.3.type"])
def test_another_backbone_and_more_augmentation_are_not_the_papers_row(key):
    config = named("sgd-lr0.02")
    config.merge_from_dict({key: 101 if key.endswith("depth") else "MyFlip"})
    config.train_dataloader.dataset = {"type": "RepeatDataset", "times": 2, "dataset": config.train_dataloader.dataset}
    assert find_row(describe_row(config), "deepfashion", "val") is None


def test_a_model_without_roi_heads_has_the_training_only():
    config = named("sgd-lr0.02")
    config.model = {"type": "GMM"}
    row = describe_row(config)
    assert row["learning_rate"] == 0.02
    assert "neck" not in row


def test_what_few_rows_have_is_said_where_they_have_it():
    plain, jitter = named("panoptic-fpn_sgd-lr0.005"), named("panoptic-fpn-jitter")
    assert not {"augmentation", "instance_masks", "class_weight"} & set(describe_row(plain))
    assert describe_row(jitter)["augmentation"] == ["RandomResize", "PhotoMetricDistortion"]
    plain.merge_from_dict({"model.test_cfg.instance_masks": "mean"})
    plain.merge_from_dict({"model.semantic_head.loss_seg.class_weight": [1.0, 2.0]})
    row = describe_row(plain)
    assert (row["instance_masks"], row["class_weight"], row["semantic_upsampling"]) == ("mean", [1.0, 2.0], "bilinear")
