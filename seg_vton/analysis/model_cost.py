"""What a detector costs before anything is trained: parameters and the arithmetic of one test image."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from mmcv.image import rescale_size
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch.utils.flop_counter import FlopCounterMode

from seg_vton import machine
from seg_vton.analysis.results import COST_FACTS, COST_SCHEMA
from seg_vton.engine import launch
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing, write_json
from seg_vton.ops.carafe_pack import CARAFEPack
from seg_vton.segmentation.rows import describe_row

# Convolutions, transposed ones too, and linear layers. Our RoIAlign and CARAFE on the CPU are other products.
_LAYERS = (torch.ops.aten.convolution, torch.ops.aten.addmm)


def input_size(config: Config, photo: tuple[int, int]) -> tuple[int, int]:
    """Width and height of what the model gets of a photograph: resized as in the config's test, then padded.

    `photo` is its width and height in pixels. `UserError` where the test does not resize to a scale.
    """
    scale = describe_row(config)["image_scale"]
    if scale is None:
        raise UserError(f"{config.filename}: its test pipeline has no Resize with a scale, so no size is known")
    divisor = config.model.data_preprocessor.get("pad_size_divisor", 1)
    width, height = (-(-side // divisor) * divisor for side in rescale_size(photo, tuple(scale)))
    return width, height


def model_cost(config: Config, photo: tuple[int, int]) -> dict[str, Any]:
    """Counts a two-stage detector's parameters and the operations of one image; any other is a `UserError`.

    All the proposals and detections are there that a test may have at most (`test_cfg.rpn.max_per_img`, 1000 in ours,
    for the box head, and 100 for the mask head), so that the number does not depend on weights or on the image.
    Convolutions and linear layers are counted as PyTorch's counter does, CARAFE's sums as its definition has them:
    k x k products for each channel and output pixel. Not counted: normalization, activations, RoIAlign's
    interpolation, NMS, and pasting masks.

    Args:
        config: the resolved config.
        photo: width and height of the photograph in pixels, as `input_size` takes them.

    Returns:
        `parameters`, `gigaflop` (10^9; a multiply-add counts as two), `image` ([width, height] of the input) and `row`
        (of `describe_row`, the `COST_FACTS`).
    """
    if "rpn_head" not in config.model or "roi_head" not in config.model:
        raise UserError(f"{config.filename} is no config of a two-stage detector, and the cost of others is unknown")
    register_all_modules(init_default_scope=True)
    facts = describe_row(config)
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model).eval()
    width, height = input_size(config, photo)
    sums: list[int] = []
    for module in model.modules():
        if isinstance(module, CARAFEPack):
            module.register_forward_hook(lambda pack, _, output: sums.append(2 * pack.up_kernel**2 * output.numel()))
    boxes = torch.tensor([[0.0, 0.0, width / 2, height / 2]]).expand(config.model.test_cfg.rpn.max_per_img, 4)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        features = model.extract_feat(torch.zeros(1, 3, height, width))
        model.rpn_head(features)
        model.roi_head(features, [InstanceData(bboxes=boxes)])
        if "semantic_head" in config.model:
            model.semantic_head(features)
    counted = counter.get_flop_counts()["Global"]
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "gigaflop": (sum(counted.get(layer, 0) for layer in _LAYERS) + sum(sums)) / 1e9,
        "image": [width, height],
        "row": {key: facts[key] for key in COST_FACTS},
    }


def write_costs(
    configs: Iterable[str | Path], photo: tuple[int, int], out: str | Path, overwrite: bool = False
) -> dict[str, Any]:
    """Writes `model_cost` of each config as JSON and returns it: `rows` by config, `photo`, command, date."""
    if min(photo) < 1:
        raise UserError(f"--photo is {photo[0]} {photo[1]}: width and height must be 1 or more pixels")
    refuse_existing(Path(out), overwrite)
    rows = {Path(path).stem: model_cost(launch.load_config(path), photo) for path in configs}
    facts = {"command": machine.command_line(), "date": datetime.date.today().isoformat(), "photo": list(photo)}
    content = {"schema": COST_SCHEMA, **facts, "rows": rows}
    write_json(out, content, overwrite=overwrite, indent=1)
    return content
