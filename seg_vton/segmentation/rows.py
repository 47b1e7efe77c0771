"""What an ablation table says about a row, read from its resolved config."""

from typing import Any

from mmengine.config import Config

from seg_vton.engine.optim import precision_of

# (neck class, neck's upsampler, mask head's upsampler) -> how Sarda & Sun's Table 1 and its controls call it.
_NECK_NAMES = {
    ("FPN", "nearest", "deconv"): "FPN",
    ("FPN_CARAFE", "nearest", "deconv"): "FPN + conv P6 (nearest)",
    ("FPN_CARAFE", "carafe", "carafe"): "CARAFE-FPN",
    ("FPN_CARAFE", "carafe", "deconv"): "CARAFE, neck only",
    ("FPN", "nearest", "carafe"): "CARAFE, mask head only",
}

# CARAFE as in its paper, in neck and mask head; a row's name says what it changes.
_CARAFE = {"up_kernel": 5, "up_group": 1, "encoder_kernel": 3, "encoder_dilation": 1, "compressed_channels": 64}

# What every row's training does with a photograph.
_PLAIN_STEPS = (
    *("LoadImageFromFile", "LoadAnnotations", "Resize", "ResizeWhereNeeded", "RandomFlip", "SemanticFromMasks"),
    "PackDetInputs",
)


def describe_row(config: Config, trained: Config | None = None) -> dict[str, Any]:
    """The facts that tell one row of an ablation from another, as a dict that JSON can hold.

    Args:
        config: the resolved config of the test, also one whose model `enable_tta` has wrapped.
        trained: the resolved config of the training, where the checkpoint has it: `--cfg-options` may have changed it.

    Returns:
        What is named below: `epochs` or `iterations`, whichever the run is counted in, the other None; `batch_size` of
        one process; `detector_weights` and `backbone_weights` by file name; `image_scale` in pixels. Only where rows
        have them: `augmentation` (steps of the training beside the flip), `instance_masks` of the test (not the mask
        head's), and `semantic_upsampling` and `class_weight` of a semantic head.
    """
    training = trained or config
    # A resumed training no longer says what it had started from.
    origin = config if training.get("resume") else training
    resizes = [step for step in config.test_dataloader.dataset.pipeline if step["type"] == "Resize"]
    scales = [step["scale"] for step in resizes[:1] if "scale" in step]
    steps = [step["type"] for step in training.train_dataloader.dataset.get("pipeline", ())]
    facts = {
        "optimizer": training.optim_wrapper.optimizer.type,
        "learning_rate": training.optim_wrapper.optimizer.lr,
        "epochs": training.train_cfg.get("max_epochs"),
        "iterations": training.train_cfg.get("max_iters"),
        "batch_size": training.train_dataloader.batch_size,
        "precision": precision_of(training),
        "detector_weights": _file_name(origin.get("load_from")),
        "image_scale": list(scales[0]) if scales else None,
        "test_time_augmentation": "module" in config.model,
    }
    model = training.model.get("module", training.model)
    masks = (config.model.get("module", config.model).get("test_cfg") or {}).get("instance_masks", "roi_head")
    rare = {
        "augmentation": [step for step in steps if step not in _PLAIN_STEPS],
        "instance_masks": masks if masks != "roi_head" else None,
    }
    facts |= {name: value for name, value in rare.items() if value}  # results of before they could be said lack them
    return facts | _detector_facts(model) if "roi_head" in model else facts


def _detector_facts(model: dict[str, Any]) -> dict[str, Any]:
    neck, mask_head = model["neck"], model["roi_head"].get("mask_head", {})
    # The defaults are those of mmdet's FPN_CARAFE, FPN and FCNMaskHead.
    upsampler = neck.get("upsample_cfg", {"type": "carafe"} if neck["type"] == "FPN_CARAFE" else {})
    neck_upsampling = upsampler.get("type") or upsampler.get("mode", "nearest")
    mask_upsampling = mask_head.get("upsample_cfg", {}).get("type", "deconv")
    plain = f"{neck['type']} ({neck_upsampling}), mask head {mask_upsampling}"
    backbone = model["backbone"]
    name, branch = _NECK_NAMES.get((neck["type"], neck_upsampling, mask_upsampling), plain), {}
    if "semantic_head" in model:
        head = model["semantic_head"]
        branch["semantic_upsampling"] = (head.get("upsample_cfg") or {}).get("type", "bilinear")
        if weight := (head.get("loss_seg") or {}).get("class_weight"):
            branch["class_weight"] = list(weight)
        name = f"panoptic {name}" + (", CARAFE in the branch" if branch["semantic_upsampling"] == "carafe" else "")
    for part, settings in {"neck": upsampler, "mask head": mask_head.get("upsample_cfg", {})}.items():
        changed = {key: settings.get(key, usual) for key, usual in _CARAFE.items()}.items() - _CARAFE.items()
        name += "".join(f", {part}'s {key} {value}" for key, value in sorted(changed))
    return {
        "neck": name,
        **branch,
        "neck_type": neck["type"],
        "neck_upsampling": neck_upsampling,
        "mask_head_upsampling": mask_upsampling,
        "backbone": f"{backbone['type']}-{backbone['depth']}" if "depth" in backbone else backbone["type"],
        "backbone_weights": _file_name((backbone.get("init_cfg") or {}).get("checkpoint")),
    }


def _file_name(address: str | None) -> str | None:
    """The last part of a path or address: folders are of no use to a reader and may name a machine."""
    return address.rstrip("/").rsplit("/", 1)[-1] if address else None
