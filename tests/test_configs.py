"""Every row under configs/ is built and run; what the papers fix is compared with the papers' own rows.

A row that is copied into configs/ is run as it is. Its files are drawn at random in its layout; where nothing here can
draw them, its items are made up in the shapes that the config says.
"""

import inspect
import json
from functools import cache
from pathlib import Path

import cpvton_reference as published
import mmdet
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, PARAM_SCHEDULERS
from mmengine.runner import Runner
from random_pairs import write_predictions, write_set
from torch import nn

from seg_vton.engine.launch import load_config
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.registry import build_model
from seg_vton.tryon.datasets.layouts import get_layout

ROOT = Path(__file__).parents[1]
ROWS = sorted(ROOT.glob("configs/[!_]*/*.py"))


def load(name):
    """A row as it stands in its file."""
    (path,) = ROOT.glob(f"configs/*/{name}.py")
    return Config.fromfile(path, import_custom_modules=False)


def walk(value):
    """Every dict inside a value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from walk(part)


# ---- every row runs


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_a_row_trains_an_iteration_and_is_tested(path, tiny_coco, tmp_path, monkeypatch):
    """Everything that a config names is built with its own arguments, of which any unknown one is an error."""
    # Half the time of so short a run: compilers asked for their versions, and the config pretty-printed five times.
    monkeypatch.setattr("mmengine.runner.runner.collect_env", dict)
    plain = property(lambda config: "\n".join(f"{key} = {value!r}" for key, value in config.to_dict().items()))
    monkeypatch.setattr(Config, "pretty_text", plain)
    config = load_config(path, work_dir=str(tmp_path / "work"))
    give_data(config, tiny_coco, tmp_path / "data")
    shrink(config, tmp_path)
    runner = Runner.from_cfg(config)
    before = {name: value.detach().clone() for name, value in runner.model.named_parameters() if value.requires_grad}
    runner.train()
    assert runner.iter == 1
    losses = {name: log.current() for name, log in runner.message_hub.log_scalars.items() if "loss" in name}
    assert losses["train/loss"] > 0
    assert np.isfinite(list(losses.values())).all(), losses
    changed = {name for name, value in runner.model.named_parameters() if not value.equal(before.get(name, value))}
    assert {name.split(".")[0] for name in changed} == {name.split(".")[0] for name in before}
    assert runner.test()


def give_data(config, tiny_coco, root):
    """Two images a split: drawn where the data set is of a kind whose files can be, else items without files."""
    root.mkdir()
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=min(loader.batch_size, 2), num_workers=0, persistent_workers=False)
        with DATASETS.switch_scope_and_registry(config.default_scope) as registry:
            kind = registry.get(loader.dataset.type)
        if config.default_scope == "seg_vton":
            draw_pairs(loader, config.model, root)
        else:
            draw_instances(loader, kind, tiny_coco, root)
    for part in walk([config.val_evaluator, config.test_evaluator]):
        if "ann_file" in part:
            part.ann_file = str(root / "instances.json")


def draw_pairs(loader, model, root):
    """Two persons in the layout, under the names and in the label space that the data set asks for."""
    dataset = loader.dataset
    try:
        layout = get_layout(dataset.layout)
        pairs = [(person, layout.own_garment(person)) for person in ("1_0.jpg", "2_0.jpg")]
        folders = {role: folder for role, folder in dataset.get("folders", {}).items() if role != "predicted_parse"}
        asked = dict(pairs_file=dataset.pairs, label_space=dataset.label_space, folders=folders)
        write_set(root, layout.name, dataset.split, pairs, (48, 64), **asked)
        dataset.data_root = str(root)
        if any(step.get("role") == "predicted_parse" for step in dataset.pipeline):
            photos = sorted(layout.split_root(root, dataset.split).glob("image*/*_0.jpg"))
            write_predictions(root / f"seen-{dataset.split}", photos, (48, 64))
            dataset.folders.predicted_parse = str(root / f"seen-{dataset.split}")
    except (AttributeError, KeyError):  # another class of data sets, or a layout with files of a kind of its own
        space = (model.get("aux_head") or {}).get("label_space", "tryon8")
        sizes = dict(image_size=model.get("image_size", (256, 192)), person_channels=model.get("person_channels", 22))
        loader.dataset = dict(type="RandomPairs", label_space=space, **sizes)


def draw_instances(loader, kind, tiny_coco, root):
    """The images of `tiny_coco`, with their instances under the classes that the data set has."""
    dataset = loader.dataset
    if not issubclass(kind, CocoDataset):
        training = Config.fromfile(ROOT / "configs/_base_/datasets/clothing.py").train_dataloader.dataset
        dataset = loader.dataset = {**training, "metainfo": dataset.get("metainfo", {})}
    classes = (dataset.get("metainfo") or kind.METAINFO).get("classes", CLOTHING_CLASSES)
    content = json.loads((tiny_coco / "annotations" / "instances.json").read_text())
    content["categories"] = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
    for instance in content["annotations"]:
        instance["category_id"] = (instance["category_id"] - 1) % len(classes) + 1
    (root / "instances.json").write_text(json.dumps(content))
    dataset.update(data_root=str(tiny_coco), data_prefix={"img": "images/"}, ann_file=str(root / "instances.json"))
    dataset.update(indices=1, serialize_data=False)  # to serialize a data set collects garbage: half a second
    for step in dataset["pipeline"]:
        if "scale" in step:
            step["scale"] = (64, 96)


FEW = {"nms_pre": 50, "max_per_img": 8, "num": 8, "score_thr": 0.0}


def shrink(config, folder):
    """One iteration; few proposals, a narrower network where it has a width to set, and no weights from files."""
    for part in walk([config.model]):
        part.update({key: value for key, value in {"init_cfg": None, "fc_out_channels": 16}.items() if key in part})
    for part in walk([config.model.get("train_cfg"), config.model.get("test_cfg")]):
        part.update({key: value for key, value in FEW.items() if key in part})
    if config.model.get("backbone", {}).get("type") == "ResNet" and "in_channels" in config.model.get("neck", {}):
        config.model.backbone.base_channels = config.model.backbone.get("base_channels", 64) // 4
        config.model.neck.in_channels = [channels // 4 for channels in config.model.neck.in_channels]
    with MODELS.switch_scope_and_registry(config.default_scope) as registry:
        arguments = inspect.signature(registry.get(config.model.type)).parameters
    if "base_channels" in arguments:
        config.model.base_channels = 4
    if "weights" in (config.model.get("loss_perceptual") or {}):  # VGG19's first layer
        torch.save({"0.weight": torch.randn(64, 3, 3, 3), "0.bias": torch.zeros(64)}, folder / "vgg19.pth")
        config.model.loss_perceptual.weights = str(folder / "vgg19.pth")
    if config.model.get("warper"):
        config.model.warper = random_warper(config.model.warper.config, folder)
    config.train_cfg.update({key: 1 for key in ("max_iters", "max_epochs") if key in config.train_cfg}, val_interval=9)
    config.default_hooks.checkpoint = None
    config.update(load_from=None, log_level="WARNING", experiment_name=folder.name)


def random_warper(config_file, folder):
    """A GMM as narrow as its TOM, of random weights."""
    model = load_config(ROOT / config_file).model
    model.base_channels = 4
    Config({"model": model.to_dict()}).dump(folder / "gmm.py")
    torch.save(build_model(model).state_dict(), folder / "gmm.pth")
    return {"config": str(folder / "gmm.py"), "checkpoint": str(folder / "gmm.pth")}


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_a_row_is_judged_by_the_annotations_that_it_loads(path):
    config = load(path.stem)
    for split in ("val", "test"):
        dataset, evaluator = config[f"{split}_dataloader"].dataset, config[f"{split}_evaluator"]
        for part in walk([evaluator]):
            if "ann_file" in part:
                assert Path(part.ann_file) == Path(dataset.data_root, dataset.ann_file)


# ---- what the papers fix


def flat(value, prefix=""):
    """Nested dicts and lists as one dict with dotted keys; empty ones are kept."""
    if not isinstance(value, dict | list) or not value:
        return {prefix: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for name, part in items for key, leaf in flat(part, f"{prefix}.{name}".lstrip(".")).items()}


@cache
def settings(name):
    """What a run reads of a row, flat; helper variables that no Runner sees are left out."""
    read = {*inspect.signature(Runner).parameters, "custom_imports", "unpaired"}
    return flat({key: value for key, value in load(name).to_dict().items() if key in read})


DEEPFASHION = "mask-rcnn_r50_{}_2e_deepfashion"
FPN = DEEPFASHION.format("fpn_sgd-lr0.009")
GMM, TOM = "gmm_{}_256x192_200k_viton", "tom_{}_256x192_200k_viton"

# Sarda & Sun: image size, normalization, losses, momentum, warm-up. Wang et al., section 4: Adam with 1e-4 (.5, .999),
# batches of 4, 100k iterations at one rate and 100k in which it falls to zero.
ADAM = {
    "train_cfg.max_iters": 200_000,
    "train_dataloader.batch_size": 4,
    "train_dataloader.dataset.image_size": (256, 192),
    "test_dataloader.dataset.image_size": (256, 192),
    "optim_wrapper.optimizer.type": "Adam",
    "optim_wrapper.optimizer.lr": 1e-4,
    "optim_wrapper.optimizer.betas": (0.5, 0.999),
    "param_scheduler.0.type": "LinearLR",
    "param_scheduler.0.by_epoch": False,
    "param_scheduler.0.begin": 100_000,
    "param_scheduler.0.end": 200_001,
    "param_scheduler.0.end_factor": 0.0,
    "load_from": None,
}
FIXED = {
    FPN: {
        "model.type": "MaskRCNN",
        **flat({"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}, "model.data_preprocessor"),
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
        "train_dataloader.dataset.pipeline.2.scale": (750, 1101),
        "train_dataloader.dataset.pipeline.3.type": "RandomFlip",
        "test_dataloader.dataset.pipeline.1.scale": (750, 1101),
        "optim_wrapper.optimizer.type": "SGD",
        "optim_wrapper.optimizer.lr": 0.009,
        "optim_wrapper.optimizer.momentum": 0.9,
        "param_scheduler.0.type": "LinearLR",
        "param_scheduler.0.end": 500,
        "param_scheduler.0.by_epoch": False,
        "train_cfg.max_epochs": 2,
        "load_from": None,
    },
    GMM.format("cp-vton"): {
        **ADAM,
        "model.grid_size": 5,
        "model.image_size": (256, 192),
        "model.align_corners": True,
        "model.loss_warp.type": "L1Loss",
        "model.loss_warp.loss_weight": 1.0,
    },
    TOM.format("cp-vton"): {
        **ADAM,
        "model.mask_target": "warped_mask",
        "model.loss_l1.loss_weight": 1.0,
        "model.loss_perceptual.type": "PerceptualLoss",
        "model.loss_perceptual.loss_weight": 1.0,
        "model.loss_mask.loss_weight": 1.0,
    },
}

CARAFE = {"type": "carafe", "up_kernel": 5, "up_group": 1, "encoder_kernel": 3, "encoder_dilation": 1}
CARAFE |= {"compressed_channels": 64}  # Wang et al., ICCV 2019
NEAREST_NECK = flat({"type": "FPN_CARAFE", "upsample_cfg": {"type": "nearest"}}, "model.neck")
CARAFE_NECK = flat({"type": "FPN_CARAFE", "upsample_cfg": CARAFE}, "model.neck")
CARAFE_HEAD = flat({**CARAFE, "scale_factor": 2}, "model.roi_head.mask_head.upsample_cfg")
AUX = {"type": "AuxSegHead", "label_space": "tryon8", "loss_weight": 1.0}
AUX = flat({**AUX, "class_weight": {"background": 1.5, "skin": 1.5}}, "model.aux_head")
CONSTANT = {key: None for key in settings(GMM.format("cp-vton")) if key.startswith("param_scheduler.")}
CONSTANT |= {"param_scheduler": []}
WARPS = {"folders": {"warped_cloth": "warp-cloth", "warped_mask": "warp-mask"}}
WARPS = flat({f"{split}_dataloader": {"dataset": WARPS} for split in ("train", "val", "test")})

# The papers' rows, their controls and the published code: the row that each differs from, and all that differs.
CHANGES = {
    DEEPFASHION.format("fpn_adam-lr0.0164"): (
        FPN,
        flat({"type": "Adam", "lr": 0.0164, "momentum": None}, "optim_wrapper.optimizer"),
    ),
    DEEPFASHION.format("fpn_sgd-lr0.02"): (FPN, {"optim_wrapper.optimizer.lr": 0.02}),
    DEEPFASHION.format("fpn_sgd-lr0.01"): (FPN, {"optim_wrapper.optimizer.lr": 0.01}),
    DEEPFASHION.format("carafe-fpn_sgd-lr0.009"): (FPN, CARAFE_NECK | CARAFE_HEAD),
    "mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion": (
        FPN,
        CARAFE_NECK | CARAFE_HEAD | {"train_cfg.max_epochs": 5},
    ),
    DEEPFASHION.format("fpn-carafe-nearest_sgd-lr0.009"): (FPN, NEAREST_NECK),
    DEEPFASHION.format("carafe-neck-only_sgd-lr0.009"): (FPN, CARAFE_NECK),
    DEEPFASHION.format("carafe-mask-head-only_sgd-lr0.009"): (FPN, CARAFE_HEAD),
    GMM.format("aux-seg"): (GMM.format("cp-vton"), AUX),
    TOM.format("aux-seg_gmm-cp-vton"): (TOM.format("cp-vton"), AUX),
    TOM.format("aux-seg"): (
        TOM.format("aux-seg_gmm-cp-vton"),
        {
            "model.warper.config": f"configs/tryon/{GMM.format('aux-seg')}.py",
        },
    ),
    GMM.format("cp-vton_official"): (GMM.format("cp-vton"), CONSTANT | {"model.align_corners": False}),
    TOM.format("cp-vton_official"): (
        TOM.format("cp-vton"),
        {
            **(CONSTANT | WARPS),
            "model.output_norm": True,
            "model.loss_perceptual.input_range": "published",
            "model.warper.config": None,
        },
    ),
}


@pytest.mark.parametrize("name", FIXED)
def test_the_rows_that_others_differ_from_have_the_papers_values(name):
    found = settings(name)
    assert {key: found.get(key) for key in FIXED[name]} == FIXED[name]
    assert "param_scheduler.1.type" not in found


@pytest.mark.parametrize("name", CHANGES)
def test_a_papers_row_differs_in_what_its_table_says_and_in_nothing_else(name):
    base, changes = CHANGES[name]
    one, two = settings(base), settings(name)
    assert {key: two.get(key) for key in one | two if one.get(key) != two.get(key)} == changes


def test_the_carafe_row_has_the_neck_and_mask_head_of_mmdets_config():
    theirs = Path(mmdet.__file__).parent / ".mim" / "configs" / "carafe" / "mask-rcnn_r50_fpn-carafe_1x_coco.py"
    reference = Config.fromfile(theirs).model
    ours = load(DEEPFASHION.format("carafe-fpn_sgd-lr0.009")).model
    defaults = {"start_level": 0, "end_level": -1, "norm_cfg": None, "act_cfg": None, "order": ("conv", "norm", "act")}
    assert {**defaults, **ours.neck} == reference.neck
    assert ours.roi_head.mask_head.upsample_cfg == reference.roi_head.mask_head.upsample_cfg


@pytest.mark.parametrize("name", ["cp-vton", "cp-vton_official"])
@pytest.mark.parametrize(("row", "shapes"), [(GMM, published.gmm_shapes()), (TOM, published.tom_shapes())])
def test_published_checkpoints_fit_strictly(row, shapes, name):
    config = load_config(ROOT / "configs" / "tryon" / f"{row.format(name)}.py").model
    with torch.device("meta"):
        model = build_model({**config, "warper": None} if row == TOM else config)
        state = {key: torch.empty(shape) for key, shape in shapes.items()}
    model.load_state_dict(state, strict=True)


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/_base_/schedules/adam_?k.py")), ids=lambda path: path.stem)
def test_the_rate_is_constant_for_half_the_training_and_falls_to_zero_after_the_last_iteration(path):
    config = Config.fromfile(path)
    optimizer = build_optim_wrapper(nn.Linear(1, 1), config.optim_wrapper)
    (scheduler,) = (
        PARAM_SCHEDULERS.build(part, default_args={"optimizer": optimizer}) for part in config.param_scheduler
    )
    rates = []
    for _ in range(config.max_iters + 1):
        rates += optimizer.get_lr()["lr"]
        scheduler.step()
    half, first = config.max_iters // 2, config.optim_wrapper.optimizer.lr
    assert rates == pytest.approx([first] * half + [first * (1 - i / half) for i in range(half + 1)], abs=first * 1e-9)
