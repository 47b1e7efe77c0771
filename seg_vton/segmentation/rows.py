"""What an ablation table says about a row, read from its resolved config."""

from typing import Any

from mmengine.config import Config

from seg_vton.engine.configs import data_sets
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

# The parts that the rows here are made of.
_PARTS = {
    *("MaskRCNN", "PanopticMaskRCNN", "RPNHead", "StandardRoIHead", "Shared2FCBBoxHead"),
    *("FCNMaskHead", "BatchedTargetsMaskHead", "SemanticFPNHead"),
}

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
    steps = [step["type"] for data in data_sets(training.train_dataloader) for step in data.get("pipeline", ())]
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
        "augmentation": list(dict.fromkeys(step for step in steps if step not in _PLAIN_STEPS)),
        "instance_masks": masks if masks != "roi_head" else None,
    }
    facts |= {name: value for name, value in rare.items() if value}  # results of before they could be said lack them
    return facts | _detector_facts(model) if "roi_head" in model else facts


def _detector_facts(model: dict[str, Any]) -> dict[str, Any]:
    """Facts of a detector's parts; `neck` names the architecture, with the types of parts that no row here has."""
    necks, heads = _listed(model.get("neck")), _listed(model["roi_head"].get("mask_head"))
    neck_type = " + ".join(neck["type"] for neck in necks) or "no neck"
    upsampler = next((neck["upsample_cfg"] for neck in necks if neck.get("upsample_cfg")), {})
    # The defaults are those of mmdet's FPN_CARAFE, FPN and FCNMaskHead.
    neck_upsampling = (
        upsampler.get("type") or upsampler.get("mode") or {"FPN_CARAFE": "carafe", "FPN": "nearest"}.get(neck_type)
    )
    mask_upsampler = (heads[0] if heads else {}).get("upsample_cfg") or {}
    mask_upsampling = mask_upsampler.get("type", "deconv") if heads else None
    plain = f"{neck_type} ({neck_upsampling})" if neck_upsampling else neck_type
    name = _NECK_NAMES.get((neck_type, neck_upsampling, mask_upsampling), f"{plain}, mask head {mask_upsampling}")
    branch = {}
    if head := model.get("semantic_head"):
        branch["semantic_upsampling"] = (head.get("upsample_cfg") or {}).get("type")
        if weight := (head.get("loss_seg") or {}).get("class_weight"):
            branch["class_weight"] = list(weight)
        name = f"panoptic {name}" + (", CARAFE in the branch" if branch["semantic_upsampling"] == "carafe" else "")
    for part, settings in {"neck": upsampler, "mask head": mask_upsampler}.items():
        changed = {key: settings.get(key, usual) for key, usual in _CARAFE.items()}.items() - _CARAFE.items()
        name += "".join(f", {part}'s {key} {value}" for key, value in sorted(changed))
    boxes = _listed(model["roi_head"].get("bbox_head"))
    parts = [model, *_listed(model.get("rpn_head")), model["roi_head"], *boxes, *heads, *_listed(head)]
    others = dict.fromkeys(part["type"] for part in parts if part["type"] not in _PARTS)
    backbone = model["backbone"]
    return {
        "neck": ", ".join([name, *others]),
        **branch,
        "neck_type": neck_type,
        "neck_upsampling": neck_upsampling,
        "mask_head_upsampling": mask_upsampling,
        "backbone": f"{backbone['type']}-{backbone['depth']}" if "depth" in backbone else backbone["type"],
        "backbone_weights": _file_name((backbone.get("init_cfg") or {}).get("checkpoint")),
    }


def _listed(part: Any) -> list[dict[str, Any]]:
    """A part of a model as a list: mmdet takes several necks in a row, and a head for each stage of a cascade."""
    return list(part) if isinstance(part, list | tuple) else [part] if part else []


def _file_name(address: str | None) -> str | None:
    """The last part of a path or address: folders are of no use to a reader and may name a machine."""
    return address.rstrip("/").rsplit("/", 1)[-1] if address else None
