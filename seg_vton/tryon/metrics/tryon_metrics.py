"""The try-on half's evaluator: every number of a test run, each with its convention."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from rich.table import Table
from torch import Tensor

from seg_vton.engine.results import log_tables
from seg_vton.errors import UserError
from seg_vton.labels import get_space, unions
from seg_vton.parsing.iou import confusion_matrix, summarize
from seg_vton.registry import METRICS
from seg_vton.tryon.metrics import image_quality, networks

METRIC_NAMES = ("FID", "KID", "LPIPS", "SSIM", "MS-SSIM", "PSNR", "mIoU", "warped-mask IoU", "warped-garment L1")
PAIRED, UNPAIRED = "paired", "unpaired"
UNPAIRED_WITH_TRUTH = "unpaired, against the data set's truth"

CONVENTIONS = {
    "mIoU": "IoU of each class over the pixels of all images, mean over the classes that occur in the truth; pixels "
    "without a label left out",
    "warped-mask IoU": "warped garment mask (0.5 and above) against the person's upper garment; mean over images",
    "warped-garment L1": "mean absolute difference of warped and worn garment (the GMM's loss), images in [-1, 1]; "
    "mean over images",
}
"""What each number is, by the name that tables use."""

_FEW = dict.fromkeys(("FID", "KID"), "it needs two images or more")
_NO_FILE = "it needs the file {}, set `{}` in the evaluator's config (now: {})"


@METRICS.register_module()
class TryOnMetrics(BaseMetric):
    """SSIM, MS-SSIM, PSNR, FID, KID and LPIPS of try-on images, mIoU of the segmentation, IoU of the warped mask.

    Pairs of a person and the garment they wear have a truth, and all are computed. Of unpaired ones only FID
    and KID are, unless the items hold a truth (`inputs['target']`, as the paper doll's do): then all are, against it.
    FID and KID compare the predictions with the photographs of the same pairs' persons. All numbers of images are of
    8-bit images, as the PNGs of the results have them, so `tools/score.py` finds the same in those. What cannot be
    computed is left out, with the reason in the report.

    A GMM, whose predictions have no `try_on`, is judged by its segmentation and warp alone.

    After `compute_metrics` the attribute `report` has everything as a plain dict: `task`, `stage`, `dataset`, `split`,
    `images`, `image_size` ([H, W] in pixels), `pairs`, `label_space`, `metrics` (by name, only what was computed),
    `not_reported` (reasons by name), `per_class` (`pixels` and `IoU` by class name), `per_image` (`names` as
    PERSON_GARMENT and, in their order, the numbers of each measure that is a mean over images, six digits, None where
    an image has none), `convention` (by name) and, of persons from a segmenter's maps, `records` (see `TryOnDataset`).

    Args:
        dataset: the data set's name for tables, such as 'paper-doll'.
        split: the split's name for tables, such as 'test'.
        inception_weights: file of torch-fidelity's InceptionV3 for FID and KID; None, or a missing file, leaves both
            out.
        alexnet_weights: file of torchvision's AlexNet for LPIPS; None, or a missing file, leaves LPIPS out.

    Raises:
        UserError: a file of weights is not what it should be.
    """

    default_prefix = "tryon"

    def __init__(
        self,
        dataset: str,
        split: str,
        inception_weights: str | None = None,
        alexnet_weights: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset, self.split = dataset, split
        self.report: dict[str, Any] = {}
        self._not_reported: dict[str, str] = {}
        files = (inception_weights, networks.INCEPTION_FILE, "inception_weights")
        self._inception = self._load(("FID", "KID"), networks.InceptionFeatures, *files)
        self._lpips = self._load(
            ("LPIPS",), networks.PerceptualDistance, alexnet_weights, networks.ALEXNET_FILE, "alexnet_weights"
        )

    def _load(
        self, names: Sequence[str], build: Callable[[str], Any], path: str | None, file: str, option: str
    ) -> Any | None:
        """The network of some measures; None where its file is missing, which the report says."""
        if path is not None and Path(path).expanduser().is_file():
            return build(path)
        now = "None" if path is None else "no file of this name"
        self._not_reported |= dict.fromkeys(names, _NO_FILE.format(file, option, now))
        return None

    def process(self, data_batch: Mapping[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Computes each image's numbers.

        Args:
            data_batch: `inputs` with the truth, batched: `image` `(B, 3, H, W)` in [-1, 1], `parse` `(B, H, W)` ids or
                255, `parse_cloth` and `parse_cloth_mask`; optionally `target` and `target_parse`.
            data_samples: the predictions as dicts with the items' metainfo: `try_on` `(3, H, W)` in [-1, 1] of a TOM,
                `warped_cloth`, `warped_mask` `(1, H, W)` in [0, 1] and, of a model with an auxiliary head, `seg_map`
                `(H, W)`.

        Raises:
            UserError: a prediction is not finite, or has labels that the label space has not.
        """
        for index, sample in enumerate(data_samples):
            _refuse_nan(sample)
            device = sample["warped_cloth"].device
            inputs = {key: values[index].to(device) for key, values in data_batch["inputs"].items()}
            truth = truth_of(inputs, sample)
            row = {
                "stage": "tom" if "try_on" in sample else "gmm",
                "name": f"{sample['person']}_{sample['garment']}",
                "pairs": PAIRED if sample["paired"] else UNPAIRED_WITH_TRUTH if truth else UNPAIRED,
                "size": tuple(inputs["image"].shape[-2:]),
                "space": sample["label_space"],
                **self._overlaps(sample, truth),
            }
            if "try_on" in sample:
                row |= self._image_numbers(sample, inputs, truth)
            self.results.append(row)

    def _overlaps(self, sample: Mapping[str, Any], truth: Mapping[str, Tensor]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        if "parse" in truth and "seg_map" in sample:
            row["confusion"] = confusion_matrix(sample["seg_map"], truth["parse"], get_space(sample["label_space"]))
        if "garment_mask" in truth and "warped_mask" in sample:  # exported warps may come without masks
            row["warped-mask IoU"] = mask_iou(sample["warped_mask"], truth["garment_mask"])
        if "garment" in truth:
            row["warped-garment L1"] = float((sample["warped_cloth"].double() - truth["garment"]).abs().mean())
        return row

    def _image_numbers(
        self, sample: Mapping[str, Any], inputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        row: dict[str, Any] = {}
        if self._inception is not None:
            images = torch.stack([sample["try_on"], inputs["image"]])
            row["features"] = self._inception(image_quality.as_bytes(images)).numpy()
        if "image" in truth:
            pair = [image_quality.as_bytes(image) for image in (sample["try_on"], truth["image"])]
            row |= image_quality.image_numbers(*(image.permute(1, 2, 0).cpu().numpy() for image in pair))
            if self._lpips is not None:
                row["LPIPS"] = self._lpips(*(image[None] for image in pair)).item()
        return row

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Means over all images of what `process` kept, one dict an image.

        Returns what was computed, by lower-case name: `ssim`, `ms_ssim`, `psnr`, `fid`, `kid`, `lpips`, `miou`,
        `warped_mask_iou`, `warped_garment_l1`. `UserError` where paired and unpaired items, sizes or label spaces are
        mixed.
        """
        stage, pairs, size, space = (_shared(results, key) for key in ("stage", "pairs", "size", "space"))
        confusions = [row["confusion"] for row in results if "confusion" in row]
        segmentation = summarize(np.sum(confusions, axis=0), get_space(space).classes) if confusions else {}
        classes = segmentation.get("per_class", {})
        metrics, missing = self._numbers(results, segmentation, stage, pairs, size)
        self.report = {
            "task": "tryon",
            "stage": stage,
            "dataset": self.dataset,
            "split": self.split,
            "images": len(results),
            "image_size": list(size),
            "pairs": pairs,
            "label_space": space,
            "metrics": metrics,
            "not_reported": missing,
            "per_class": {name: {"pixels": row["pixels"], "IoU": row["iou"]} for name, row in classes.items()},
            "per_image": {"names": [row["name"] for row in results], **image_quality.per_image(results, metrics)},
            "convention": self._convention(metrics, stage, pairs, size, len(results)),
        }
        if records := (self.dataset_meta or {}).get("records"):  # of a segmenter's maps that the persons are made from
            self.report["records"] = records
        self._log()
        return {name.lower().replace("-", "_").replace(" ", "_"): value for name, value in metrics.items()}

    def _numbers(
        self,
        results: Sequence[Mapping[str, Any]],
        segmentation: Mapping[str, Any],
        stage: str,
        pairs: str,
        size: tuple[int, int],
    ) -> tuple[dict[str, float], dict[str, str]]:
        """The metrics by name and, of those of this stage that there are not, the reasons."""
        values = {name: [row[name] for row in results if row.get(name) is not None] for name in METRIC_NAMES}
        numbers = {name: fmean(found) for name, found in values.items() if found}
        if segmentation:
            numbers["mIoU"] = segmentation["metrics"]["mIoU"]
        if features := [row["features"] for row in results if "features" in row]:
            numbers |= networks.set_numbers(*np.stack(features, axis=1))
        metrics = {name: numbers[name] for name in METRIC_NAMES if name in numbers and np.isfinite(numbers[name])}
        wanted = METRIC_NAMES if stage == "tom" else METRIC_NAMES[-3:]
        reasons = {**_reasons(pairs, size), **self._not_reported}
        if np.isinf(numbers.get("PSNR", 0)):
            reasons["PSNR"] = image_quality.INFINITE.format(int(np.isinf(values["PSNR"]).sum()))
        return metrics, {name: reasons[name] for name in wanted if name not in metrics}

    def _convention(
        self, metrics: Mapping[str, float], stage: str, pairs: str, size: tuple[int, int], count: int
    ) -> dict[str, str]:
        known = {**image_quality.CONVENTIONS, **CONVENTIONS}
        if self._inception is not None:
            persons = "; predictions against the photographs of the persons of the same pairs"
            known |= {name: text + persons for name, text in self._inception.conventions(count, count).items()}
        if self._lpips is not None:
            known["LPIPS"] = self._lpips.convention
        images = f"{count} images, {pairs}; {size[0]} x {size[1]} pixels (height x width)"
        if stage == "tom":
            images += "; RGB rounded to 8 bits, data range 1 after division by 255"
        return {"images": images, **{name: known[name] for name in metrics}}

    def _log(self) -> None:
        """Writes the tables of numbers and of classes to the log."""
        report = self.report
        numbers = Table("metric", "value", "convention", title=report["convention"]["images"])
        for name, value in report["metrics"].items():
            numbers.add_row(name, f"{value:.4f}", report["convention"][name])
        for name, reason in report["not_reported"].items():
            numbers.add_row(name, "-", reason)
        tables = [numbers]
        if report["per_class"]:
            tables.append(Table(f"class ({report['label_space']})", "pixels", "IoU"))
            for name, entry in report["per_class"].items():
                tables[1].add_row(name, str(entry["pixels"]), "-" if entry["IoU"] is None else f"{entry['IoU']:.3f}")
        log_tables(*tables)


def _refuse_nan(sample: Mapping[str, Any]) -> None:
    """Raises `UserError` for pictures with NaN or infinity: as bytes they would be black, and measured like others."""
    for key in ("warped_cloth", "try_on"):
        if key in sample and not sample[key].isfinite().all():
            raise UserError(
                f"TryOnMetrics: {key} of {sample['person']} with {sample['garment']} holds NaN or infinity: test a "
                "checkpoint from before the training diverged"
            )


def truth_of(inputs: Mapping[str, Tensor], sample: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the prediction should be: `image`, `parse`, `garment_mask`, `garment`, as far as the item has them."""
    if sample["paired"]:
        names = {"image": "image", "parse": "parse", "garment_mask": "parse_cloth_mask", "garment": "parse_cloth"}
        return {name: inputs[key] for name, key in names.items()}
    truth = {name: inputs[key] for name, key in (("image", "target"), ("parse", "target_parse")) if key in inputs}
    if "parse" in truth:
        upper = torch.tensor(unions(sample["label_space"]).upper, device=truth["parse"].device)
        truth["garment_mask"] = torch.isin(truth["parse"], upper).float()[None]
    return truth


def _shared(results: Sequence[Mapping[str, Any]], key: str) -> Any:
    found = sorted({row[key] for row in results})
    if len(found) > 1:
        told = "; paired=True of a data set says that all are worn by their persons" if key == "pairs" else ""
        raise UserError(f"the evaluated items mix {found[0]} with {found[1]}: evaluate them one by one{told}")
    return found[0]


def mask_iou(predicted: Tensor, target: Tensor) -> float | None:
    """Intersection over union of two masks in [0, 1] of one shape, cut at 0.5; None where both are empty."""
    predicted, target = predicted >= 0.5, target >= 0.5
    union = int((predicted | target).sum())
    return int((predicted & target).sum()) / union if union else None


def _reasons(pairs: str, size: tuple[int, int]) -> dict[str, str]:
    """Why a metric may be missing although nothing is wrong."""
    if pairs == UNPAIRED:
        return {**dict.fromkeys(METRIC_NAMES, "unpaired garments have no truth"), **_FEW}
    reasons = {**dict.fromkeys(METRIC_NAMES, f"the items have no truth for it ({pairs})"), **_FEW}
    reasons["mIoU"] = "the model has no auxiliary head"
    reasons["warped-mask IoU"] = "the garments were warped beforehand and have no masks"
    if min(size) < image_quality.MS_SSIM_LEAST_SIDE:
        reasons["MS-SSIM"] = image_quality.TOO_SMALL.format(*size)
    return reasons
