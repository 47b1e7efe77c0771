"""A segmenter as one ONNX file: a photo in, its label map out, for programs that have no PyTorch.

The file holds standard operators alone: the photo's resizing, the network, and how instances are painted. Since a class
keeps its best instance, nothing after the proposals is suppressed, and each class has one box and one mask.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs, Resize
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import batched_nms, roi_align

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, refuse_existing, sha256, write_json
from seg_vton.parsing.instances import MAPS
from seg_vton.parsing.label_map import RANKS, accessories, layers
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import PARSE_SIDE, limited
from seg_vton.progress import track

OPSET = 17
"""Of the files; RoIAlign of whole boxes needs 16."""


def export_onnx(
    parser: ClothingParser,
    path: str | Path,
    photos: Sequence[np.ndarray] = (),
    data: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes a segmenter as `path`, and beside it a JSON of the same name that says what the file is.

    The graph takes `photo`, uint8 RGB `(H, W, 3)` of any size, and gives `label_map`, uint8 `(H, W)`, ids of the
    segmenter's label space. The map is that of `Parsing.label_map` up to rounding; holes between merged instances stay.
    Where a model with a semantic head has no plain mask head, the map is the semantic head's alone.

    Args:
        parser: the segmenter, on the CPU, with one instance per class; its threshold goes into the file.
        path: the ONNX file.
        photos: RGB uint8 `(H, W, 3)`, on which ONNX Runtime is compared with PyTorch.
        data: what is known of the training's data, such as their license, for the JSON.
        overwrite: whether existing files are replaced.

    Returns:
        What the JSON holds; `check` is None where nothing was compared, since no photos were given or onnxruntime is
        not installed.

    Raises:
        UserError: the package onnx is not installed, a file exists, or the segmenter cannot be exported: it keeps
            several instances per class, its pipeline does more than resize, or it has neither a semantic head nor a
            plain mask head.
    """
    try:
        import onnx
    except ImportError:
        raise UserError("an ONNX file is written with the package onnx: pip install onnx onnxruntime") from None
    path = Path(path)
    if path.suffix != ".onnx":
        raise UserError(f"{path} is to be an ONNX file: give it a name that ends in .onnx")
    described = path.with_suffix(".json")
    refuse_existing(described, overwrite)
    parser(np.zeros((64, 64, 3), np.uint8))  # wrong settings of a model folder are a message here, not in the tracing
    graph = LabelMapGraph(parser).eval()
    with atomic_path(path, overwrite) as temporary:
        _trace(graph, temporary)
        onnx.checker.check_model(str(temporary))
        record = {
            "file": path.name,
            "sha256": sha256(temporary),
            "opset": OPSET,
            "input": {
                "name": "photo",
                "type": "uint8, height x width x 3, RGB, upright",
                "size": f"any; shrink photos of more than {PARSE_SIDE} pixels on a side before, by averaging areas",
                "in_the_graph": f"resizing to fit in {max(graph.scale)} x {min(graph.scale)}, normalization, padding",
            },
            "output": {"name": "label_map", "type": "uint8, height x width of the photo, ids of classes"},
            "map": graph.map,
            "space": parser.space.name,
            "classes": list(parser.space.classes),
            "model": parser.stamp,
            "data": data,
            "check": _compare(parser, temporary, photos),
        }
    write_json(described, record, overwrite, indent=1)
    return record


def _trace(graph: "LabelMapGraph", path: Path) -> None:
    """Writes a graph as an ONNX file."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what depends on sizes while tracing: mmdet's assertions
        torch.onnx.export(
            graph,
            (graph.example(),),
            str(path),
            input_names=["photo"],
            output_names=["label_map"],
            dynamic_axes={name: {0: "height", 1: "width"} for name in ("photo", "label_map")},
            opset_version=OPSET,
            dynamo=False,  # the other exporter needs onnxscript
        )


def _compare(parser: ClothingParser, path: Path, photos: Sequence[np.ndarray]) -> dict[str, Any] | None:
    """The share of pixels in which ONNX Runtime and PyTorch differ, photo by photo."""
    try:
        import onnxruntime
    except ImportError:
        return None
    if not len(photos):
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shares = []
    for photo in track(list(map(limited, photos)), "checking"):
        (found,) = session.run(None, {"photo": photo})
        shares.append(float((found != parser(photo).label_map()).mean()))
    return {
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__,
        "sizes": [f"{photo.shape[1]}x{photo.shape[0]}" for photo in photos],
        "differing_pixels": [round(share, 6) for share in shares],
        "mean": round(float(np.mean(shares)), 6),
    }


class LabelMapGraph(nn.Module):
    """What is exported: from a photo, uint8 RGB `(H, W, 3)`, to its label map, uint8 `(H, W)`; to be traced alone.

    Sizes are tensors all through, and no branch depends on a photo.

    Attributes:
        map: what the label map is made of, one of `seg_vton.parsing.instances.MAPS`.
        scale: the two sides, in any order, in which the photo is made to fit.
    """

    def __init__(self, parser: ClothingParser) -> None:
        super().__init__()
        steps = parser.pipeline.transforms[1:]
        if [type(step) for step in steps] != [Resize, PackDetInputs] or not steps[0].keep_ratio:
            raise UserError(
                f"the test pipeline of {parser.stamp['config']} does more than Resize with keep_ratio=True before "
                "PackDetInputs, and an ONNX file holds that step alone"
            )
        if not parser.one_per_class:
            raise UserError("an ONNX file has the best instance of each class: leave one_per_class on")
        self.model, self.scale = parser.model, steps[0].scale
        semantic = hasattr(self.model, "semantic_head")
        sources = getattr(self.model, "instance_masks", ["roi_head"])
        plain = type(self.model.roi_head) is StandardRoIHead and set(sources) == {"roi_head"}
        plain = plain and not self.model.roi_head.bbox_head.custom_activation  # then scores are no softmax
        if not (plain or semantic):
            raise UserError(
                f"{parser.stamp['config']} has neither a semantic head nor a plain mask head (StandardRoIHead): "
                "train a row named panoptic"
            )
        self.map = MAPS[0] if plain and semantic else MAPS[1] if semantic else MAPS[2]
        space, height = parser.space.name, layers(parser.space.name)
        painted = accessories(space) if semantic else set(parser.classes)
        painted = [i for i, name in enumerate(parser.classes) if plain and name in painted]
        self.painted = torch.tensor(painted, dtype=torch.long)
        self.heights = torch.tensor([2.0 * height.get(parser.classes[i], 0) for i in painted])
        self.ids = torch.tensor([0, *map(parser.space.id_of, parser.classes)], dtype=torch.uint8)

    def example(self) -> Tensor:
        """A photo for the tracer: it is resized, and to an odd number of 32 pixels, where CARAFE-FPN crops."""
        longer, shorter = max(self.scale), min(self.scale)
        side = next(side for side in range(shorter // 32 * 32, 0, -32) if side // 32 % 2 or side == 32)
        return torch.randint(0, 256, (2 * longer, 2 * side, 3), dtype=torch.uint8)

    def forward(self, photo: Tensor) -> Tensor:
        """The label map."""
        height, width = photo.shape[:2]
        size = self._network_size(height, width)
        image = self._network_input(photo, size)
        features = self.model.extract_feat(image)
        if self.map == MAPS[2]:
            base = torch.zeros(height, width, dtype=torch.uint8)
        else:  # as the head's `predict`
            logits = self.model.semantic_head(features)["seg_preds"]
            logits = F.interpolate(logits, image.shape[2:], mode="bilinear")[..., : size[0], : size[1]]
            logits = F.interpolate(logits, (height, width), mode="bilinear")[0]
            ranked = logits.topk(min(RANKS, len(self.ids)), dim=0).indices
            base = self.ids[ranked[0]]
        if not len(self.painted):
            return base
        boxes, scores, masks = self._instances(features, size)
        factors = torch.stack([width, height, width, height]) / torch.stack([*size[::-1], *size[::-1]])
        pasted = _paste(masks, boxes * factors, height, width)
        test = self.model.roi_head.test_cfg
        seen = (pasted >= test.mask_thr_binary) & (scores > test.score_thr)[:, None, None]
        if self.map == MAPS[0]:  # as `fuse_maps`
            accessory = self.painted[:, None] + 1 == torch.arange(len(self.ids))
            small, doubted = accessory.any(dim=0), (accessory & seen.flatten(1).any(dim=1)[:, None]).any(dim=0)
            best = torch.zeros_like(base)
            for labels in ranked.flip(0):
                best = torch.where(small[labels], best, self.ids[labels])
            base = torch.where(doubted[ranked[0]], best, base)
        above, which = torch.where(seen, (self.heights + scores)[:, None, None], -1.0).max(dim=0)
        return torch.where(above >= 0, self.ids[self.painted + 1][which], base)

    def _network_size(self, height: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Height and width to which mmcv resizes the photo: in Python's numbers, float64."""
        sides = torch.stack([height, width]).double()
        factors = torch.tensor(sorted(self.scale)).double() / torch.stack([sides.min(), sides.max()])
        return (sides * factors.min() + 0.5).floor().long().unbind()

    def _network_input(self, photo: Tensor, size: tuple[Tensor, Tensor]) -> Tensor:
        """The photo as the network sees it, `(1, 3, h, w)`: resized, normalized, padded at the right and below."""
        normal = self.model.data_preprocessor
        image = photo.permute(2, 0, 1)[None].float()
        image = F.interpolate(image, size, mode="bilinear").round()
        if not normal._channel_conversion:  # then it wants the pipeline's BGR
            image = image.flip(1)
        image = (image - normal.mean) / normal.std
        below, right = (-side % normal.pad_size_divisor for side in size)
        return F.pad(image, [0, right, 0, below], value=normal.pad_value)

    def _instances(self, features: Sequence[Tensor], size: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Of each class to be painted the best: boxes `(C, 4)` in the network's frame, scores, masks `(C, m, m)`."""
        head, limits = self.model.roi_head, torch.stack([*size[::-1], *size[::-1]]).float()
        proposals = self._proposals(features, limits)
        logits, deltas = head.bbox_head(_pool(head.bbox_roi_extractor, features, proposals))
        scores, best = logits.softmax(dim=1)[:, self.painted].max(dim=0)
        deltas = deltas.unflatten(1, (-1, 4)).expand(-1, head.bbox_head.num_classes, -1)[best, self.painted]
        boxes = head.bbox_head.bbox_coder.decode(proposals[best], deltas).clamp(min=0).minimum(limits)
        masks = head.mask_head(_pool(head.mask_roi_extractor, features, boxes)).sigmoid()
        rows = torch.arange(len(self.painted))
        return boxes, scores, masks[rows, torch.zeros_like(rows) if head.mask_head.class_agnostic else self.painted]

    def _proposals(self, features: Sequence[Tensor], limits: Tensor) -> Tensor:
        """The region proposals `(N, 4)` in the network's frame, by falling score."""
        head, test = self.model.rpn_head, self.model.rpn_head.test_cfg
        boxes, scores, levels = [], [], []
        for level, (logits, deltas) in enumerate(zip(*head(features), strict=True)):
            grid = head.prior_generator.single_level_grid_priors(logits.shape[-2:], level, device=logits.device)
            logits = logits[0].permute(1, 2, 0).reshape(-1, head.cls_out_channels)
            chance = logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(dim=-1)
            chance, order = chance[:, 0].sort(descending=True)  # which TopK does, here of all that there are
            order, deltas = order[: test.nms_pre], deltas[0].permute(1, 2, 0).reshape(-1, 4)
            boxes.append(head.bbox_coder.decode(grid[order], deltas[order]).clamp(min=0).minimum(limits))
            scores.append(chance[: test.nms_pre])
            levels.append(torch.full_like(scores[-1], level))
        boxes, scores, levels = map(torch.cat, (boxes, scores, levels))
        large = ((boxes[:, 2:] - boxes[:, :2]) > test.min_bbox_size).all(dim=1).nonzero()[:, 0]
        kept = batched_nms(boxes[large], scores[large], levels[large], test.nms.iou_threshold)
        return boxes[large][kept[: test.max_per_img]]


def _pool(extractor: SingleRoIExtractor, features: Sequence[Tensor], boxes: Tensor) -> Tensor:
    """The features in boxes `(N, 4)`, each from its level of the pyramid: `(N, C, s, s)`.

    The extractor's own way branches on whether a level has boxes, and mmcv's RoIAlign exports as of an older opset.
    """
    rois = torch.cat([torch.zeros_like(boxes[:, :1]), boxes], dim=1)
    levels = extractor.map_roi_levels(rois, extractor.num_inputs)
    pooled, order = [], []
    for level, layer in enumerate(extractor.roi_layers):
        order.append((levels == level).nonzero()[:, 0])
        settings = layer.output_size, layer.spatial_scale, layer.sampling_ratio, layer.aligned
        pooled.append(roi_align(features[level], rois[order[-1]], *settings))
    return torch.cat(pooled)[torch.cat(order).argsort()]


def _paste(masks: Tensor, boxes: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Masks `(C, m, m)` drawn bilinearly into boxes `(C, 4)` of a frame: `(C, height, width)`, 0 outside.

    mmdet samples a grid; the same weights, by rows and by columns, make it two products of matrices.
    """

    def weights(low: Tensor, high: Tensor, length: Tensor, cells: int) -> Tensor:
        """`(C, length, cells)`: how much of each cell a row or column of pixels takes."""
        pixels = torch.arange(length, device=low.device) + 0.5
        places = (pixels - low[:, None]) / (high - low).clamp(min=1e-6)[:, None] * cells - 0.5
        return (1 - (places[..., None] - torch.arange(cells, device=low.device)).abs()).clamp(min=0)

    left, top, right, bottom = boxes.unbind(dim=1)
    rows, columns = masks.shape[1:]
    return weights(top, bottom, height, rows) @ masks @ weights(left, right, width, columns).transpose(1, 2)
