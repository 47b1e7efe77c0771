"""Where a model is wrong: the worst images first, each with its truth, and which classes it takes for which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchmetrics.utilities.plot import plot_confusion_matrix

from seg_vton.analysis.browse import PAGE, write_page
from seg_vton.analysis.panels import Photographs, read_rles
from seg_vton.coco import to_rle
from seg_vton.engine.halves import half_of
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing, write_json
from seg_vton.labels import get_space, load_palette_png
from seg_vton.parsing.iou import summarize
from seg_vton.pictures.drawing import draw_instances, sheet
from seg_vton.pictures.images import read_mask
from seg_vton.progress import track
from seg_vton.registry import DATASETS
from seg_vton.tryon.datasets.agnostic import to_unit
from seg_vton.tryon.half import TryOnHalf
from seg_vton.tryon.metrics.folders import check_picture, read_picture
from seg_vton.tryon.metrics.tryon_metrics import METRIC_NAMES, TryOnMetrics, truth_of
from seg_vton.tryon.visualization import FOLDERS, colored, enlarged_grid, pair_name, rgb

MIN_IOU = 0.5
"""What a true and a predicted instance must share to be a pair."""

_HEIGHT = 720  # pixels of the pictures of a photograph
_MOST_WRITTEN = 32  # classes: the cells of more are too small for numbers


def find_errors(
    config: Config,
    predictions: Path,
    split: str,
    out: Path,
    number: int = 20,
    score_thr: float = 0.5,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `OUT/errors.json`, `OUT/confusion.png`, pictures of the worst and `OUT/index.html`; returns the last.

    Args:
        config: of either half.
        predictions: what `tools/test.py --out` wrote: COCO results, or of try-on a folder.
        split: the data that were tested, one that the config's half has.
        out: folder.
        number: of images that are drawn, 0 or more; the JSON has all.
        score_thr: predicted instances below this score do not count.
        overwrite: whether an existing page and its files may be replaced.
        options: the command line's `--cfg-options`, which must be of that split.
    """
    if number < 0:
        raise UserError(f"--number is {number}: it must be 0 or more")
    refuse_existing(out / PAGE, overwrite)
    half = half_of(config)
    half.select_split(config, split, options)
    found = (
        PairErrors(config, predictions) if isinstance(half, TryOnHalf) else PhotoErrors(config, predictions, score_thr)
    )
    records = sorted(found.records, key=lambda record: record.get(found.measure, np.inf))
    confusion = {"classes": found.classes, "confusion": found.confusion.tolist()} if found.confusion.any() else {}
    content = {"measure": found.measure, **confusion, "images": records}
    write_json(out / "errors.json", content, overwrite, indent=1)

    def entries() -> Iterator[tuple[str, np.ndarray, list[str]]]:
        if confusion:
            text = "Confusion matrix: of what a row's class truly is, the share that each column's class was taken for."
            yield "confusion.png", draw_confusion(found.confusion, found.classes), [text]
        for index, record in enumerate(track(records[:number], "pictures")):
            shown = ((key, ", ".join(value) if isinstance(value, list) else value) for key, value in record.items())
            yield f"{index:03d}.png", found.draw(record), ["; ".join(f"{k}: {v}" for k, v in shown if v != "")]

    title = f"{Path(config.filename).stem}: the worst of {len(records)} ({split})"
    return write_page(out, title, f"{predictions}. {found.rule}", entries(), overwrite)


def match(ious: np.ndarray, truth: np.ndarray, found: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of true and predicted instances, each in one pair at most.

    They share `MIN_IOU` or more. As many as can be have one class; then their IoUs are as large as can be.

    Args:
        ious: `(T, P)` in [0, 1].
        truth: labels `(T,)`.
        found: labels `(P,)`.
    """
    same = truth[:, None] == found
    # With so much for the same class no number of other pairs outweighs one.
    worth = np.where(ious >= MIN_IOU, ious + min(ious.shape) * same, 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(t, p) for t, p in zip(rows.tolist(), columns.tolist(), strict=True) if worth[t, p]]


class PhotoErrors:
    """Errors of instances, from COCO results.

    Attributes:
        measure: the key of `records` that says how good an image is.
        rule: what the measure is.
        classes: names; the last one stands for none.
        confusion: instances, int64 `(K, K)`, row the truth, column the prediction.
        records: a dict for each image.
    """

    measure = "PQ"
    rule = (
        "PQ is the panoptic quality of an image (Kirillov et al., CVPR 2019): the IoUs of pairs of one class, summed, "
        f"over the mean number of true and predicted instances. A pair has an IoU of {MIN_IOU} or more."
    )

    def __init__(self, config: Config, predictions: Path, score_thr: float) -> None:
        self._photographs = photographs = Photographs(config, "test")
        self.rule += f" Predictions with a score of {score_thr:g} or more."
        self.classes = [*photographs.classes, "nothing"]
        self.confusion = np.zeros((len(self.classes), len(self.classes)), np.int64)
        self._found = read_rles(predictions, photographs, list(photographs.path_of), score_thr)
        self._shares: dict[Any, list[float]] = {}  # by image the IoU that each true instance was found with
        self.records = [self._judge(image_id) for image_id in track(photographs.path_of, "images")]

    def _judge(self, image_id: Any) -> dict[str, Any]:
        """Adds an image to the confusion matrix; its record."""
        found = self._found[image_id]
        size, nothing, names = self._photographs.size_of[image_id], len(self.classes) - 1, self.classes
        instances = self._photographs.dataset.get_data_info(self._photographs.index_of[image_id])["instances"]
        true, crowds = (
            [(i["bbox_label"], to_rle(i["mask"], *size)) for i in instances if bool(i["ignore_flag"]) == crowd]
            for crowd in (False, True)
        )
        labels, masks = np.array([label for label, _ in true], int), [rle for _, rle in true]
        guesses, guessed = np.array([label for label, *_ in found], int), [rle for *_, rle in found]
        ious = np.zeros((len(true), len(found)))
        if ious.size:
            ious = coco_mask.iou(masks, guessed, [0] * len(found))
        pairs = match(ious, labels, guesses)
        missed = [int(labels[t]) for t in sorted(set(range(len(true))) - {t for t, _ in pairs})]
        extra = sorted(set(range(len(found))) - {p for _, p in pairs})
        if crowds and extra:  # what lies in a crowd is neither right nor wrong
            inside = coco_mask.iou([guessed[p] for p in extra], [rle for _, rle in crowds], [1] * len(crowds))
            extra = [p for p, most in zip(extra, inside.max(axis=1), strict=True) if most < MIN_IOU]
        counted = [(labels[t], guesses[p]) for t, p in pairs]
        counted += [(label, nothing) for label in missed] + [(nothing, guesses[p]) for p in extra]
        for cell in counted:
            self.confusion[cell] += 1
        self._shares[image_id] = [max((ious[t, p] for s, p in pairs if s == t), default=0.0) for t in range(len(true))]
        right = sum(ious[t, p] for t, p in pairs if labels[t] == guesses[p])
        instances_seen = len(true) + len(pairs) + len(extra)
        wrong = [(names[labels[t]], names[guesses[p]], ious[t, p]) for t, p in pairs if labels[t] != guesses[p]]
        return {
            "image": self._photographs.path_of[image_id].name,
            "id": image_id,
            "PQ": round(float(2 * right / instances_seen), 4) if instances_seen else 1.0,
            "missed": [names[label] for label in missed],
            "taken for another class": [f"{truth} for {guess} (IoU {iou:.2f})" for truth, guess, iou in wrong],
            "not there": [names[guesses[p]] for p in extra],
        }

    def draw(self, record: dict[str, Any]) -> np.ndarray:
        """An image, its truth and the prediction, RGB uint8."""
        image_id = record["id"]
        photo, truth = self._photographs.load(image_id)
        truth = [replace(one, score=iou) for one, iou in zip(truth, self._shares[image_id], strict=True)]
        found = self._photographs.decode(self._found[image_id])
        panels = [draw_instances(photo, shown, _HEIGHT) for shown in ([], truth, found)]
        return sheet(["image", "truth, IoU of what was found", "prediction, score"], [(record["image"], panels)], "")


class PairErrors:
    """Errors of try-on, from the pictures of a test; attributes as of `PhotoErrors`, the confusion one of pixels.

    A TOM is judged by its try-ons, a GMM by its warps. Numbers are `TryOnMetrics`', of each image.

    Raises:
        UserError: the folder lacks pictures, they do not fit the data, or the pairs have no truth.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        init_default_scope("seg_vton")
        self._data, self._folder = DATASETS.build(config.test_dataloader.dataset), folder
        keys = ("try_on", "warped_cloth", "warped_mask", "seg_map")
        self._keys = [key for key in keys if (folder / FOLDERS[key]).is_dir()]
        if "warped_cloth" not in self._keys:
            raise UserError(
                f"{folder} has no {FOLDERS['warped_cloth']}: give the folder that tools/test.py --out wrote"
            )
        metric = TryOnMetrics(dataset="", split="")
        for index in track(range(len(self._data)), "pairs"):
            inputs, sample = self._item(index)
            metric.process({"inputs": {key: value[None] for key, value in inputs.items()}}, [sample.to_dict()])
        rows = metric.results
        self.measure = "SSIM" if "try_on" in self._keys else "warped-mask IoU"
        if all(row.get(self.measure) is None for row in rows):
            raise UserError(
                f"the pairs have no truth for the {self.measure}: choose a --split with persons' own garments"
            )
        self.rule = f"Numbers are of each image, {self.measure} decides."
        self.classes = list(get_space(rows[0]["space"]).classes)
        self.confusion = sum((row["confusion"] for row in rows if "confusion" in row), np.zeros((1, 1), np.int64))
        self.records = []
        for index, row in enumerate(rows):
            numbers = {name: row[name] for name in METRIC_NAMES if row.get(name) not in (None, np.inf)}
            if "confusion" in row:
                numbers["mIoU"] = summarize(row["confusion"], self.classes)["metrics"]["mIoU"]
            rounded = {name: round(value, 4) for name, value in numbers.items()}
            self.records.append({"pair": row["name"], "index": index, **rounded})

    def _item(self, index: int) -> tuple[dict[str, Tensor], BaseDataElement]:
        """A pair's inputs, and its sample with what the test wrote of it."""
        inputs, sample = self._data[index].values()
        size = tuple(inputs["image"].shape[-2:])
        for key in self._keys:
            path = self._folder / FOLDERS[key] / f"{pair_name(sample)}.png"
            if not path.is_file():
                raise UserError(f"{path} does not exist: is the --split the one that was tested?")
            if key == "seg_map":
                value = load_palette_png(path, sample.label_space).astype(np.int64)
            elif key == "warped_mask":
                value = read_mask(path)[None].astype(np.float32)
            else:
                check_picture(path, size)
                value = to_unit(read_picture(path, size, "bilinear"))
            sample.set_field(torch.from_numpy(value), key)
        return inputs, sample

    def draw(self, record: dict[str, Any]) -> np.ndarray:
        """What is given and true above what came out, RGB uint8."""
        inputs, sample = self._item(record["index"])
        truth = truth_of(inputs, sample.to_dict())
        columns = [
            (("in-shop garment", rgb(inputs["cloth"])), ("warped garment", rgb(sample.warped_cloth))),
            (("worn garment", rgb(inputs["parse_cloth"])), ("person", rgb(inputs["image"]))),
        ]
        space = sample.label_space if "seg_map" in sample and "parse" in truth else None
        if space:
            maps = colored(truth["parse"], space), colored(sample.seg_map, space)
            columns.append(tuple(zip(("true segmentation", "predicted segmentation"), maps, strict=True)))
        if "try_on" in sample and "image" in truth:
            columns.append((("truth", rgb(truth["image"])), ("try-on", rgb(sample.try_on))))
        return enlarged_grid(list(zip(*columns, strict=True)), record["pair"], space)


def draw_confusion(counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A confusion matrix `(K, K)` as shares of its rows, RGB uint8."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.6 * len(names)  # inches
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    plot_confusion_matrix(torch.from_numpy(shares), axes, len(names) <= _MOST_WRITTEN, list(names), "Blues")
    for text in axes.texts:
        text.set_fontsize(11)
        text.set_text("" if text.get_text() == "0.0" else text.get_text().lstrip("0"))
    axes.tick_params("x", rotation=90)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
