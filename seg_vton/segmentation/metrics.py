"""COCO average precision of boxes, masks and masks' boundaries, over all classes and for each."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from mmdet.registry import METRICS
from mmdet.structures.mask import encode_mask_results
from mmengine.evaluator import BaseMetric
from rich.table import Table

from seg_vton.coco import category_ids, check_evaluated, read_coco, refuse_faults
from seg_vton.engine.results import log_tables
from seg_vton.files import write_json
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.parsing.iou import BOUNDARY_WIDTH

SUMMARY_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
IOU_TYPES = ("bbox", "segm", "boundary")


def summarize(precision: np.ndarray) -> dict[str, float | None]:
    """COCO's six numbers from the precision array, None where no ground truth exists.

    Args:
        precision: (10 IoU thresholds .50:.05:.95, 101 recalls, K classes, 4 areas all/small/medium/large, 3 limits of
            1, 10 and 100 detections); -1 where there is none.
    """
    everything, small, medium, large = np.moveaxis(precision[..., -1], -1, 0)
    parts = zip(SUMMARY_NAMES, (everything, everything[0], everything[5], small, medium, large), strict=True)
    existing = {name: part[part > -1] for name, part in parts}
    return {name: float(part.mean()) if part.size else None for name, part in existing.items()}


def _numbered_truth(
    content: dict[str, Any], class_ids: Sequence[int | str]
) -> tuple[COCO, dict[int | str, int], dict[int | str, int]]:
    """The truth of some classes under numbers from 1 on, and those of the images and the classes by their ids.

    COCO's evaluation counts an instance with the id 0 as never found, and faster-coco-eval takes no ids that are text.
    The images' order stays that of their ids, which tells which of equal scores comes first.
    """
    image_ids = sorted((image["id"] for image in content["images"]), key=lambda name: (isinstance(name, str), name))
    images, classes = ({name: n for n, name in enumerate(ids, 1)} for ids in (image_ids, class_ids))
    annotations = [a for a in content["annotations"] if a["image_id"] in images and a["category_id"] in classes]
    numbered = {
        "images": [{**image, "id": images[image["id"]]} for image in content["images"]],
        "annotations": [
            {**a, "id": n, "image_id": images[a["image_id"]], "category_id": classes[a["category_id"]]}
            for n, a in enumerate(annotations, 1)
        ],
        "categories": [{"id": n, "name": str(name)} for name, n in classes.items()],
    }
    return COCO(numbered), images, classes


@METRICS.register_module()
class InstanceAP(BaseMetric):
    """AP, AP50, AP75, small, medium, large, and AP and AP50 for each class, of boxes, masks and boundaries.

    The arithmetic is pycocotools' (done by faster-coco-eval), with COCO's limits of 1, 10 and 100 detections an image.
    Boundary AP (Cheng et al., *Boundary IoU*, CVPR 2021) matches by the smaller of two IoUs: of the masks, and of their
    pixels within `BOUNDARY_WIDTH` of the contour. A large mask whose outline is coarse scores lower there.
    Classes are matched to the annotation file by name, and only the images that were predicted are judged: with
    `dataset.indices` the others are not misses. After `compute_metrics` the attribute `report` has everything as a
    plain dict and `predictions` has COCO's result list.

    Args:
        ann_file: COCO JSON with the ground truth.
        dataset, split: their names for tables, such as 'ccp' and 'val'.
        predictions_file: where to write the predictions as COCO results, or None.
        iou_types: what to judge by: of 'bbox', 'segm' and 'boundary'.

    Raises:
        UserError: `ann_file` is missing or broken, or, later, its categories or images are not the data set's.
    """

    default_prefix = "coco"

    def __init__(
        self,
        ann_file: str,
        dataset: str,
        split: str,
        predictions_file: str | None = None,
        iou_types: Sequence[str] = IOU_TYPES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._truth = read_coco(ann_file)
        refuse_faults(self._truth, ann_file)
        self._images = {image["id"]: image for image in self._truth["images"]}
        self.ann_file, self.dataset, self.split = ann_file, dataset, split
        self.predictions_file, self.iou_types = predictions_file, tuple(iou_types)
        self.report: dict[str, Any] = {}
        self.predictions: list[dict[str, Any]] = []

    @BaseMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        """Takes the data set's classes, and raises `UserError` where the annotation file's are others."""
        self._ids = category_ids(self._truth, dataset_meta["classes"], self.ann_file, CLOTHING_CLASSES)
        BaseMetric.dataset_meta.fset(self, dataset_meta)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keeps a batch's predictions as COCO's results, masks as RLE.

        `data_samples` are mmdet's samples as dicts, with what `check_evaluated` takes and judges, and `pred_instances`
        of `bboxes` (N, 4) as x1, y1, x2, y2 in pixels of the original image, `scores` (N,), `labels` (N,) and `masks`
        (N, H, W) boolean.
        """
        class_ids = [self._ids[name] for name in self.dataset_meta["classes"]]
        for sample in data_samples:
            check_evaluated(sample, self._images, self.ann_file)
            predicted = sample["pred_instances"]
            columns = (predicted[key].tolist() for key in ("bboxes", "scores", "labels"))
            masks = encode_mask_results(predicted["masks"].cpu().numpy())
            rows = [
                {
                    "image_id": sample["img_id"],
                    "category_id": class_ids[label],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                    "segmentation": {"size": list(mask["size"]), "counts": mask["counts"].decode()},
                }
                for (x1, y1, x2, y2), score, label, mask in zip(*columns, masks, strict=True)
            ]
            self.results.append((sample["img_id"], rows))

    def compute_metrics(self, results: list[tuple[int | str, list[dict[str, Any]]]]) -> dict[str, float]:
        """Evaluates what `process` kept: of each image its id and its predictions.

        Returns:
            `bbox_mAP`, `segm_mAP_50`, ... as mmdet names them, and `boundary_mAP`, ...; numbers without ground truth
            are left out.
        """
        image_ids, found = zip(*results, strict=True)
        self.predictions = list(chain.from_iterable(found))
        if self.predictions_file:
            write_json(self.predictions_file, self.predictions, overwrite=True)
        class_ids = [self._ids[name] for name in self.dataset_meta["classes"]]
        precisions = self._precisions(image_ids, class_ids)
        images = set(image_ids)
        judged = [a for a in self._truth["annotations"] if a["image_id"] in images and not a.get("iscrowd")]
        truths, predicted = (Counter(row["category_id"] for row in rows) for rows in (judged, self.predictions))
        per_class = {}
        for index, (name, class_id) in enumerate(zip(self.dataset_meta["classes"], class_ids, strict=True)):
            per_class[name] = {"instances": truths[class_id], "predictions": predicted[class_id]}
            for kind, precision in precisions.items():
                summary = summarize(precision[:, :, [index]])
                per_class[name][kind] = {key: summary[key] for key in ("AP", "AP50")}
        self.report = {
            "dataset": self.dataset,
            "split": self.split,
            "annotations": Path(self.ann_file).name,
            "images": len(image_ids),
            "instances": sum(truths[class_id] for class_id in class_ids),
            "predictions": len(self.predictions),
            "metrics": {kind: summarize(precision) for kind, precision in precisions.items()},
            "per_class": per_class,
        }
        self._log()
        mmdet_names = dict(zip(SUMMARY_NAMES, ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"), strict=True))
        return {
            f"{kind}_{mmdet_names[name]}": value
            for kind, values in self.report["metrics"].items()
            for name, value in values.items()
            if value is not None
        }

    def _precisions(self, image_ids: Sequence[int | str], class_ids: Sequence[int | str]) -> dict[str, np.ndarray]:
        """COCO's precision arrays, see `summarize`, by what is judged."""
        truth, images, classes = _numbered_truth(self._truth, class_ids)
        rows = [
            row | {"image_id": images[row["image_id"]], "category_id": classes[row["category_id"]]}
            for row in self.predictions
        ]
        quiet = {"print_function": lambda *_: None, "boundary_dilation_ratio": BOUNDARY_WIDTH}
        found = {}
        for kind in self.iou_types:
            # For masks COCO must take the area from the mask, which it does only when no box is given.
            keys = ("image_id", "category_id", "score", "bbox" if kind == "bbox" else "segmentation")
            results = truth.loadRes([{key: row[key] for key in keys} for row in rows])
            evaluation = COCOeval_faster(truth, results, kind, **quiet)
            evaluation.params.catIds, evaluation.params.imgIds = list(classes.values()), [images[i] for i in image_ids]
            evaluation.evaluate()
            evaluation.accumulate()
            found[kind] = np.asarray(evaluation.eval["precision"])
        return found

    def _log(self) -> None:
        """Writes the table of classes to the log."""
        columns = [(kind, name) for kind in self.iou_types for name in ("AP", "AP50")]
        table = Table("class", "instances", *(" ".join(column) for column in columns))
        rows = self.report["per_class"] | {"all": {"instances": self.report["instances"], **self.report["metrics"]}}
        for class_name, row in rows.items():
            numbers = (row[kind][name] for kind, name in columns)
            table.add_row(class_name, str(row["instances"]), *("-" if n is None else f"{n:.3f}" for n in numbers))
        log_tables(table)
