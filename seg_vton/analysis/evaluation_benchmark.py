"""The evaluation benchmark behind `tools/analysis/benchmark_evaluation.py`: COCO's average precision."""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich import box
from rich.console import Console
from rich.table import Table

from seg_vton import machine
from seg_vton.analysis.memory import resident_bytes
from seg_vton.analysis.timing import compared, turns
from seg_vton.files import refuse_existing, write_json
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.progress import track
from seg_vton.segmentation.metrics import SUMMARY_NAMES, InstanceAP

IMAGES, INSTANCES = 5000, 10
FEW = (20, 3)  # images and instances of a case that shows that everything runs
SIZE = (256, 192)  # height, width
REFERENCE, OURS = "pycocotools", "faster-coco-eval, as seg_vton calls it"
IOU_TYPES = ("bbox", "segm")  # pycocotools has no boundary AP
TOLERANCE = 1e-6
_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)

Numbers = dict[str, dict[str, float]]
Prediction = dict[str, Any]
Case = tuple[str, list[Prediction]]
"""Annotation file and predictions."""


class Measured(NamedTuple):
    """What one form did in a process of its own."""

    numbers: Numbers
    seconds: float
    grown_bytes: int


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes x1, y1, x2, y2 of side 6 to 140: all three of COCO's sizes occur."""
    sides = rng.integers(6, 141, (count, 2))
    corners = rng.integers(0, np.array(SIZE[::-1]) - sides)
    return np.concatenate([corners, corners + sides], axis=1).astype(float)


def _masks(boxes: np.ndarray) -> list[dict[str, Any]]:
    """RLE of the twelve-cornered figure in each box."""
    centers, radii = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    corners = centers[:, None] + radii[:, None] * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    return coco_mask.frPyObjects([polygon.ravel().tolist() for polygon in corners], *SIZE)


def _predictions(rng: np.random.Generator, boxes: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What a fair detector says of an image: most instances, somewhat beside, some of another class, two of nothing."""
    found = rng.random(len(boxes)) < 0.9
    sides = boxes[found, 2:] - boxes[found, :2]
    moved = boxes[found] + 0.06 * rng.normal(size=(found.sum(), 4)) * np.tile(sides, 2)
    moved = np.concatenate([moved, _boxes(rng, 2)]).clip(0, np.tile(SIZE[::-1], 2))
    classes = np.concatenate([labels[found], rng.integers(0, len(CLOTHING_CLASSES), 2)])
    wrong = rng.random(len(classes)) < 0.15
    classes = np.where(wrong, rng.integers(0, len(CLOTHING_CLASSES), len(classes)), classes)
    scores = rng.beta(4, 2, len(classes))
    return {"bboxes": moved, "labels": classes, "scores": scores, "masks": _masks(moved)}


def make_case(images: int, instances: int, seed: int = 0) -> tuple[dict[str, Any], list[Prediction]]:
    """Ground truth and predictions.

    Args:
        images: number of images, 256 x 192 pixels.
        instances: an image's.
        seed: of the content.

    Returns:
        A COCO annotation file's content, and what `InstanceAP.process` would keep of each image.
    """
    rng = np.random.default_rng(seed)
    annotations, predictions = [], []
    for image in range(images):
        boxes, labels = _boxes(rng, instances), rng.integers(0, len(CLOTHING_CLASSES), instances)
        for corners, label, mask in zip(boxes, labels, _masks(boxes), strict=True):
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image + 1,
                "category_id": int(label) + 1,
                "bbox": [*corners[:2], *(corners[2:] - corners[:2])],
                "area": int(coco_mask.area(mask)),
                "iscrowd": 0,
                "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()},
            })  # fmt: skip
        predictions.append({"img_id": image + 1, **_predictions(rng, boxes, labels)})
    content = {
        "images": [{"id": i + 1, "file_name": f"{i}.jpg", "height": SIZE[0], "width": SIZE[1]} for i in range(images)],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLOTHING_CLASSES)],
    }
    return content, predictions


def result_rows(predictions: list[Prediction], kind: str) -> list[dict[str, Any]]:
    """Predictions as COCO's results; those of masks without a box, from which COCO would take the area."""
    rows = []
    for image in predictions:
        columns = (image[key].tolist() for key in ("bboxes", "scores", "labels"))
        for (x1, y1, x2, y2), score, label, mask in zip(*columns, image["masks"], strict=True):
            place = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if kind == "bbox" else {"segmentation": dict(mask)}
            rows.append({"image_id": image["img_id"], "category_id": label + 1, "score": score, **place})
    return rows


def evaluate_reference(annotations: str, predictions: list[Prediction]) -> Numbers:
    """COCO's six numbers of boxes and masks by pycocotools, in its own words."""
    truth, numbers = COCO(annotations), {}
    for kind in IOU_TYPES:
        evaluation = COCOeval(truth, truth.loadRes(result_rows(predictions, kind)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        numbers[kind] = dict(zip(SUMMARY_NAMES, evaluation.stats[:6].tolist(), strict=True))
    return numbers


def evaluate_ours(annotations: str, predictions: list[Prediction]) -> Numbers:
    """The same, and each class's, as `tools/test.py` computes them."""
    metric = InstanceAP(annotations, "synthetic", "val", iou_types=IOU_TYPES)
    metric.dataset_meta = {"classes": CLOTHING_CLASSES}
    metric.compute_metrics(predictions)
    return metric.report["metrics"]


FORMS: dict[str, Callable[[str, list[Prediction]], Numbers]] = {REFERENCE: evaluate_reference, OURS: evaluate_ours}


def _measure(form: str, few: Case, case: Case) -> Measured:
    """Runs a form once on a few images, for what only a first call pays, then counted, without the tables it shows."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        FORMS[form](*few)
        before = resident_bytes()
        start = time.perf_counter()
        numbers = FORMS[form](*case)
        seconds = time.perf_counter() - start
    return Measured(numbers, seconds, resident_bytes() - before)


def _in_new_process(*arguments: Any) -> Measured:
    # A fork server: processes that have imported all that they need, and nothing else.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(_measure, *arguments).result()


def _write_case(path: Path, images: int, instances: int) -> Case:
    content, predictions = make_case(images, instances)
    write_json(path, content)
    return str(path), predictions


def largest_difference(a: Numbers, b: Numbers) -> float:
    """Between the same numbers of two evaluations.

    Raises:
        RuntimeError: it is above `TOLERANCE`.
    """
    difference = max(abs(a[kind][name] - b[kind][name]) for kind in IOU_TYPES for name in SUMMARY_NAMES)
    if difference > TOLERANCE:
        raise RuntimeError(f"the evaluations differ by {difference}: {a} and {b}")
    return difference


def run(rounds: int, quick: bool, out: str | None = None, overwrite: bool = False) -> dict[str, Any]:
    """Times both forms in turn, prints the table and writes the JSON.

    Args:
        rounds: counted rounds.
        quick: 20 images with 3 instances each, to see that everything runs.
        out: JSON file, or None.
        overwrite: whether `out` may be replaced.

    Returns:
        The report: rows, the numbers and by how much they differ, the machine.

    Raises:
        UserError: `out` exists.
        RuntimeError: the forms' numbers differ by more than 1e-6.
    """
    if out:
        refuse_existing(Path(out), overwrite)
    images, instances = FEW if quick else (IMAGES, INSTANCES)
    measured: dict[str, list[Measured]] = {form: [] for form in FORMS}
    with tempfile.TemporaryDirectory() as folder:
        few = _write_case(Path(folder) / "few.json", *FEW)
        case = _write_case(Path(folder) / "instances.json", images, instances)
        order = [form for number in range(rounds) for form in turns(FORMS, number)]
        for form in track(order, "average precision"):
            measured[form].append(_in_new_process(form, few, case))
    report = {"benchmark": "evaluation", "images": images, "instances": instances, **_compared(measured)}
    report["machine"] = machine.describe()
    _print(report)
    if out:
        write_json(out, report, overwrite=overwrite, indent=1)
    return report


def _compared(measured: dict[str, list[Measured]]) -> dict[str, Any]:
    reference = measured[REFERENCE][0].numbers
    differences = [largest_difference(reference, each.numbers) for turns in measured.values() for each in turns]
    seconds = {form: [each.seconds for each in turns] for form, turns in measured.items()}
    rows = [
        {
            "form": form,
            **compared(taken, seconds[REFERENCE]),
            "peak_bytes": max(each.grown_bytes for each in measured[form]),
        }
        for form, taken in seconds.items()
    ]
    return {"rows": rows, "numbers": reference, "largest_difference": max(differences)}


def _print(report: dict[str, Any]) -> None:
    title = f"AP of boxes and masks, {report['images']} x {report['instances']}"
    table = Table("", "s", "faster", "min", "max", "MB", title=title, box=box.SIMPLE)
    for row in report["rows"]:
        faster = (f"{row['speedup'][key]:.2f}" for key in ("median", "min", "max"))
        table.add_row(row["form"], f"{row['median']:.2f}", *faster, f"{row['peak_bytes'] / 1e6:.0f}")
    console = Console()
    console.print(table)
    console.print(f"the numbers differ by at most {report['largest_difference']:.1g}")
