"""What a training sees: the items of a config's data after the pipeline, drawn on a page."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import chain, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmengine.structures import BaseDataElement, InstanceData
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.utils.data import DataLoader

from seg_vton.analysis.report import page
from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import BROKEN_IMAGE, UserError
from seg_vton.files import refuse_existing, write_text
from seg_vton.pictures.drawing import Instance, draw_instances, sheet
from seg_vton.pictures.images import save_picture
from seg_vton.progress import track
from seg_vton.tryon.visualization import agnostic_parts, colored, enlarged_grid, gray, pair_name, rgb

PAGE = "index.html"

_SOFTWARE = "seg-vton tools/analysis"  # in the pictures, which tells them from a user's own
_HEIGHT = 720  # pixels of the pictures of a photograph
_COLUMNS = 5


def browse(config: Config, split: str, number: int, out: str | Path, overwrite: bool = False) -> Path:
    """Draws the first items of a config's data as `OUT/000.png`, ... and `OUT/index.html`; returns the page's path.

    Of 'train' these are the items that the training begins with, of the first epoch: its sampler's order and the random
    numbers of its seed, `randomness.seed`. A training that is counted in iterations draws other random numbers.

    Args:
        config: of either half.
        split: 'train', 'val' or 'test'.
        number: of items; a smaller set is shown once.
        out: folder.
        overwrite: whether an existing page and its pictures may be replaced.
    """
    out = Path(out)
    refuse_existing(out / PAGE, overwrite)
    if number < 1:
        raise UserError(f"--number {number}: show one item or more")
    loader = _loader(config, split)
    number = min(number, len(loader.dataset))
    items = track(islice(chain.from_iterable(loader), number), "items", number)
    entries = (
        (f"{index:03d}.png", *_draw_item(item["inputs"], item["data_samples"], loader.dataset.metainfo))
        for index, item in enumerate(items)
    )
    lead = f"The first {number} of {len(loader.dataset)} items of {split}, after the pipeline. A click enlarges."
    return write_page(out, f"{Path(config.filename).stem}: {split}", lead, entries, overwrite)


def write_page(
    out: Path, title: str, lead: str, entries: Iterable[tuple[str, np.ndarray, Sequence[str]]], overwrite: bool
) -> Path:
    """Writes pictures by file name, RGB uint8, and a page that shows each over its lines of text.

    The names are `000.png` and on, and `confusion.png`. What an earlier page in the folder had beyond these is removed.
    """
    figures, mark = {}, PngInfo()
    mark.add_text("Software", _SOFTWARE)
    for name, picture, lines in entries:
        save_picture(out / name, picture, overwrite, pnginfo=mark)
        text = "<br>".join(map(escape, lines))
        image = f'<a href="{name}"><img src="{name}" loading="lazy" alt=""></a>'
        figures[name] = f"<figure>{image}<figcaption>{text}</figcaption></figure>"
    write_text(out / PAGE, page(title, lead, "\n".join(figures.values())), overwrite)
    for path in out.glob("*.png"):
        if path.name not in figures and re.fullmatch(r"(\d{3,}|confusion)\.png", path.name) and _is_ours(path):
            path.unlink()
    return out / PAGE


def _is_ours(path: Path) -> bool:
    """Whether a file is a picture that `write_page` wrote, of any run: a user's own may have such a name too."""
    try:
        with Image.open(path) as image:
            return image.info.get("Software") == _SOFTWARE
    except BROKEN_IMAGE:
        return False


def _loader(config: Config, split: str) -> DataLoader:
    """The loader that the runner makes, in this process, at the start of the first epoch; its batches are lists."""
    init_default_scope(config.get("default_scope", "mmdet"))
    settings = config.get(f"{split}_dataloader")
    if settings is None:
        raise UserError(f"{config.filename} has no {split}_dataloader")
    seed = (config.get("randomness") or {}).get("seed") or 0
    set_random_seed(seed)
    here = {"num_workers": 0, "persistent_workers": False, "prefetch_factor": None, "collate_fn": list}
    loader = Runner.build_dataloader({**settings, **here}, seed=seed)
    if isinstance(loader.dataset, SeededSamples):
        loader.dataset.seed_samples(seed, epoch=0)
    return loader


def _draw_item(
    inputs: Tensor | Mapping[str, Tensor], sample: BaseDataElement, metainfo: Mapping[str, Any]
) -> tuple[np.ndarray, list[str]]:
    """A picture of an item, and what it is made of."""
    if isinstance(inputs, Mapping):
        picture, tensors = draw_pair(inputs, sample), dict(inputs)
    else:
        picture, tensors = draw_photograph(inputs, sample, metainfo["classes"], metainfo["palette"]), {"inputs": inputs}
    shapes = [f"{k} {tuple(v.shape)} {v.dtype}, {v.min():.4g} to {v.max():.4g}" for k, v in tensors.items()]
    facts = [f"{key} {value}" for key, value in sorted(sample.metainfo.items())]
    ignored = len(sample.ignored_instances) if "ignored_instances" in sample else 0
    return picture, ["; ".join(facts), "; ".join(shapes), *([f"{ignored} crowds, ignored"] if ignored else [])]


def draw_pair(inputs: Mapping[str, Tensor], sample: BaseDataElement) -> np.ndarray:
    """All tensors of a pair that are images, by their keys: RGB uint8.

    Three channels are colors in [-1, 1], one is a mask in [0, 1], more are parts of the person representation, none is
    a label map of the sample's `label_space`.
    """
    cells = []
    for key, value in inputs.items():
        if value.shape[-2:] != inputs["image"].shape[-2:]:  # a known warp, say
            continue
        if value.ndim == 2:
            cells.append((key, colored(value, sample.label_space)))
        elif len(value) == 1:
            cells.append((key, gray(value)[..., None].repeat(3, -1)))
        else:
            cells += [(key, rgb(value))] if len(value) == 3 else agnostic_parts(value)
    rows = [cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)]
    return enlarged_grid(rows, pair_name(sample), sample.get("label_space"))


def draw_photograph(
    image: Tensor, sample: DetDataSample, classes: Sequence[str], palette: Sequence[tuple[int, int, int]]
) -> np.ndarray:
    """A photograph, its boxes, its masks with their classes and, where there is one, its semantic target: RGB uint8.

    Args:
        image: BGR `(3, H, W)` in [0, 255].
        sample: with `gt_instances` and perhaps `gt_sem_seg`, which in tests are in the file's frame.
        classes: names by label.
        palette: RGB by label. In the semantic target 0 is the background, black, and `IGNORE_INDEX` white.
    """
    photo, truth = image.permute(1, 2, 0).clip(0, 255).byte().numpy()[..., ::-1].copy(), sample.gt_instances
    masks = truth.masks.to_ndarray().astype(bool)
    photo = cv2.resize(photo, (truth.masks.width, truth.masks.height), interpolation=cv2.INTER_AREA)
    visualizer = DetLocalVisualizer(line_width=2)
    visualizer.dataset_meta = {"classes": classes, "palette": palette}
    boxes = InstanceData(bboxes=getattr(truth.bboxes, "tensor", truth.bboxes), labels=truth.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of boxes that reach the photograph's edge
        visualizer.add_datasample("boxes", photo, DetDataSample(gt_instances=boxes), draw_pred=False)
    named = [
        Instance(classes[label], tuple(palette[label]), mask)
        for label, mask in zip(truth.labels.tolist(), masks, strict=True)
    ]
    columns = {"image": (photo, []), "boxes": (visualizer.get_image(), []), "masks": (photo, named)}
    if "gt_sem_seg" in sample:
        table = np.full((256, 3), 255, np.uint8)
        table[: len(classes) + 1] = [(0, 0, 0), *palette]
        columns["semantic target"] = table[sample.gt_sem_seg.sem_seg[0].numpy()], []
    panels = [draw_instances(shown, instances, _HEIGHT) for shown, instances in columns.values()]
    return sheet(list(columns), [(Path(sample.get("img_path", "")).name, panels)], "")
