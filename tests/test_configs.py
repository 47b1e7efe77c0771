import inspect
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

import seg_vton  # noqa: F401  registers what the configs name
from seg_vton.labels import CLOTHING_CLASSES

ROOT = Path(__file__).parents[1] / "configs"
CONFIGS = sorted((ROOT / "segmentation").glob("*.py"))
BOTH = sorted(ROOT.glob("[!_]*/*.py"))
BASE = "mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion"

every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
of_both_halves = pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)


def load(name):
    (path,) = ROOT.glob(f"[!_]*/{name}.py")
    return Config.fromfile(path, import_custom_modules=False)


def flat(value, prefix=""):
    """Nested dicts and lists as one dict with dotted keys; empty ones are kept."""
    if isinstance(value, dict) and value:
        items = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        return {prefix: value}
    return {key: leaf for name, part in items for key, leaf in flat(part, f"{prefix}.{name}".lstrip(".")).items()}


@cache
def settings(name):
    """What a run reads of a config, flat; helper variables that no Runner sees are left out."""
    read = {*inspect.signature(Runner).parameters, "custom_imports"}
    return flat({key: value for key, value in load(name).to_dict().items() if key in read})


def difference(first, second):
    """Keys in which two rows differ, with both values; None where a row has none."""
    one, two = settings(first), settings(second)
    return {key: (one.get(key), two.get(key)) for key in one | two if one.get(key) != two.get(key)}


# ---- every file


@of_both_halves
def test_the_header_says_what_changes_why_and_what_it_costs(path):
    lines = path.read_text().splitlines()
    for line, start in zip(lines, ("# Changes: ", "# Why: ", "# Costs: "), strict=False):
        assert line.startswith(start)
        assert len(line) > len(start) + 5
    assert not lines[3].startswith("#")


@of_both_halves
def test_each_file_is_another_run(path):
    same = [other.stem for other in path.parent.glob("*.py") if other != path and not difference(path.stem, other.stem)]
    assert not same


def sources(config):
    """Every data set, evaluator and pipeline step of a config, wherever it is."""
    for part in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        yield part.dataset
    yield from (config.val_evaluator, config.test_evaluator)


def walk(value):
    """Every dict inside a value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from walk(part)


def shrink(config, data, work_dir):
    """The same run on one image of `tiny_coco`, 64 x 96 pixels, few proposals and RoIs, random weights, no files.

    The network, its losses and all that is done to an image stay the config's.
    """
    for source in sources(config):
        source.ann_file = str(data / "annotations" / "instances.json")
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(data), data_prefix={"img": "images/"}, indices=1)
    for part in walk(config._cfg_dict):
        if part.get("type") in ("Resize", "ResizeWhereNeeded"):
            part.scale = (64, 96)
        if "init_cfg" in part:
            part.init_cfg = None
    shrink_detector(config.model)
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.default_hooks.checkpoint = None
    config.update(work_dir=str(work_dir), load_from=None, launcher="none", log_level="WARNING")
    config.experiment_name = work_dir.name


def shrink_detector(model):
    model.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    model.train_cfg.rcnn.sampler.num = 16
    model.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=3)


@every_config
def test_it_trains_an_iteration_and_predicts_an_image(path, tiny_coco, tmp_path, monkeypatch):
    """Everything a config names is built from its own arguments, of which any unknown one is an error."""
    monkeypatch.setattr("mmengine.runner.runner.collect_env", dict)  # asks compilers for their versions: half a second
    config = Config.fromfile(path)
    shrink(config, tiny_coco, tmp_path)
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    assert runner.iter == 1
    losses = {name: runner.message_hub.get_scalar(f"train/{name}").current() for name in LOSSES}
    assert all(torch.isfinite(torch.tensor(value)) for value in losses.values())
    assert losses["loss_mask"] > 0.1
    changed = {name.split(".")[0] for name, value in runner.model.state_dict().items() if not value.equal(before[name])}
    assert changed >= {"backbone", "neck", "rpn_head", "roi_head"}
    report = runner.val_evaluator.metrics[0].report
    assert report["images"] == 1
    assert report["predictions"] == 3
    assert list(report["per_class"]) == list(CLOTHING_CLASSES)


LOSSES = ("loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "loss_mask")


# ---- the paper's rows

ADAM = {
    "optim_wrapper.optimizer.type": ("SGD", "Adam"),
    "optim_wrapper.optimizer.lr": (0.009, 0.0164),
    "optim_wrapper.optimizer.momentum": (0.9, None),
}
CARAFE_SETTINGS = {
    "type": "carafe",
    "up_kernel": 5,
    "up_group": 1,
    "encoder_kernel": 3,
    "encoder_dilation": 1,
    "compressed_channels": 64,
}
NEAREST_NECK = {
    "model.neck.type": ("FPN", "FPN_CARAFE"),
    "model.neck.upsample_cfg.type": (None, "nearest"),
}
CARAFE_NECK = {
    "model.neck.type": ("FPN", "FPN_CARAFE"),
    **{f"model.neck.upsample_cfg.{key}": (None, value) for key, value in CARAFE_SETTINGS.items()},
}
CARAFE_MASK_HEAD = {
    f"model.roi_head.mask_head.upsample_cfg.{key}": (None, value)
    for key, value in {**CARAFE_SETTINGS, "scale_factor": 2}.items()
}
FIVE_EPOCHS = {"train_cfg.max_epochs": (2, 5)}

ROWS = {
    "mask-rcnn_r50_fpn_adam-lr0.0164_2e_deepfashion": ADAM,
    "mask-rcnn_r50_fpn_sgd-lr0.02_2e_deepfashion": {"optim_wrapper.optimizer.lr": (0.009, 0.02)},
    "mask-rcnn_r50_fpn_sgd-lr0.01_2e_deepfashion": {"optim_wrapper.optimizer.lr": (0.009, 0.01)},
    BASE: {},
    "mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion": CARAFE_NECK | CARAFE_MASK_HEAD,
    "mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion": CARAFE_NECK | CARAFE_MASK_HEAD | FIVE_EPOCHS,
    "mask-rcnn_r50_fpn-carafe-nearest_sgd-lr0.009_2e_deepfashion": NEAREST_NECK,
    "mask-rcnn_r50_carafe-neck-only_sgd-lr0.009_2e_deepfashion": CARAFE_NECK,
    "mask-rcnn_r50_carafe-mask-head-only_sgd-lr0.009_2e_deepfashion": CARAFE_MASK_HEAD,
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_differs_from_the_base_in_what_its_table_says_and_in_nothing_else(name):
    assert difference(BASE, name) == ROWS[name]


def test_the_base_row_is_the_papers():
    """Sarda & Sun: image size, normalization, losses, momentum, warm-up; values that later rows inherit."""
    row = settings(BASE)
    expected = {
        "model.type": "MaskRCNN",
        "model.backbone.depth": 50,
        "model.backbone.init_cfg.checkpoint": "torchvision://resnet50",
        "model.neck.type": "FPN",
        "model.rpn_head.loss_cls.type": "CrossEntropyLoss",
        "model.rpn_head.loss_cls.loss_weight": 1.0,
        "model.rpn_head.loss_bbox.type": "L1Loss",
        "model.rpn_head.loss_bbox.loss_weight": 1.0,
        "model.roi_head.bbox_head.num_classes": 15,
        "model.roi_head.bbox_head.loss_cls.type": "CrossEntropyLoss",
        "model.roi_head.bbox_head.loss_cls.loss_weight": 1.0,
        "model.roi_head.bbox_head.loss_bbox.type": "L1Loss",
        "model.roi_head.bbox_head.loss_bbox.loss_weight": 1.0,
        "model.roi_head.mask_head.num_classes": 15,
        "model.roi_head.mask_head.loss_mask.type": "CrossEntropyLoss",
        "model.roi_head.mask_head.loss_mask.loss_weight": 1.0,
        "optim_wrapper.optimizer.type": "SGD",
        "optim_wrapper.optimizer.lr": 0.009,
        "optim_wrapper.optimizer.momentum": 0.9,
        "param_scheduler.0.type": "LinearLR",
        "param_scheduler.0.end": 500,
        "param_scheduler.0.by_epoch": False,
        "train_cfg.max_epochs": 2,
        "load_from": None,
    }
    assert {key: row[key] for key in expected} == expected
    assert not any(key.startswith("param_scheduler.1") for key in row)
    config = load(BASE)
    assert config.model.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert config.model.data_preprocessor.std == [58.395, 57.12, 57.375]
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        in_training = loader is config.train_dataloader
        assert steps["ResizeWhereNeeded" if in_training else "Resize"].scale == (750, 1101)
        assert ("RandomFlip" in steps) == in_training


def test_the_carafe_row_has_the_neck_and_mask_head_of_mmdets_config():
    import mmdet

    theirs = Path(mmdet.__file__).parent / ".mim" / "configs" / "carafe" / "mask-rcnn_r50_fpn-carafe_1x_coco.py"
    reference = Config.fromfile(theirs).model
    ours = load("mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion").model
    defaults = {"start_level": 0, "end_level": -1, "norm_cfg": None, "act_cfg": None, "order": ("conv", "norm", "act")}
    assert {**defaults, **ours.neck} == reference.neck
    assert ours.roi_head.mask_head.upsample_cfg == reference.roi_head.mask_head.upsample_cfg


@pytest.mark.parametrize("schedule", ["sgd-lr0.005_half-res_2e_ccp", "sgd-lr0.009_12e_ccp"])
def test_rows_on_ccp_differ_in_the_model_alone(schedule):
    base = f"mask-rcnn_r50_fpn_{schedule}"
    assert difference(base, f"mask-rcnn_r50_fpn-carafe-nearest_{schedule}") == NEAREST_NECK
    assert difference(base, f"mask-rcnn_r50_carafe-fpn_{schedule}") == CARAFE_NECK | CARAFE_MASK_HEAD


def test_the_coco_row_differs_in_what_it_starts_from_alone():
    found = difference(BASE, "mask-rcnn_r50_fpn_coco-pretrained_sgd-lr0.009_2e_deepfashion")
    assert list(found) == ["load_from"]
    assert found["load_from"][1].startswith("https://download.openmmlab.com/mmdetection/")


@every_config
def test_evaluators_judge_the_data_that_is_loaded(path):
    config = Config.fromfile(path, import_custom_modules=False)
    for split in ("val", "test"):
        dataset, evaluator = config[f"{split}_dataloader"].dataset, config[f"{split}_evaluator"]
        assert evaluator.ann_file == dataset.data_root + dataset.ann_file
        assert f"data/{evaluator.dataset}/" == dataset.data_root
    assert isinstance(config.test_evaluator, ConfigDict)


@every_config
def test_the_schedule_ends_with_the_training(path):
    """Milestones and warm-up lie inside the iterations that the data set gives."""
    config = Config.fromfile(path, import_custom_modules=False)
    images = {"ccp": 704, "deepfashion": 6816, "paper-doll": 1000}[config.val_evaluator.dataset]
    iterations = config.train_cfg.max_epochs * -(-images // config.train_dataloader.batch_size)
    for scheduler in config.param_scheduler:
        last = max(scheduler.get("milestones", [scheduler.end]))
        assert last < (config.train_cfg.max_epochs if scheduler.by_epoch else iterations) + (last == scheduler.end)
