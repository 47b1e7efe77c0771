"""How good predicted label maps are: IoU of each class, their mean, and the share of pixels that are right."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import METRICS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from pycocotools import mask as coco_mask
from rich.table import Table

from seg_vton.coco import category_ids, check_evaluated, read_coco, refuse_faults, to_rle, unused_categories
from seg_vton.engine.results import log_tables
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, TRYON8, conversion_table
from seg_vton.parsing.instances import MAPS, SCORE_THR, from_sample, space_of
from seg_vton.parsing.iou import boundary_counts, confusion_matrix, mean, share, summarize
from seg_vton.parsing.label_map import merge_truth


def judge_label_maps(config: Config, **settings: Any) -> None:
    """Puts `LabelMapIoU` in the place of a config's test evaluator, for `seg_vton.engine.testing.run`.

    Of a model with a semantic head each of `MAPS` is judged: the first as the one map of other models is, under
    `val-label-map` say, the others under `val-label-map-semantic` and so on. The config's `test_evaluator` must say the
    data set, the split and the annotations; `settings` are arguments of `LabelMapIoU`, such as `score_thr`.
    """
    given = config.get("test_evaluator") or {}
    missing = [key for key in ("ann_file", "dataset", "split") if key not in given]
    if missing:
        raise UserError(f"{config.filename}: test_evaluator has no {', '.join(missing)}: see configs/_base_/datasets")
    same = dict(type=LabelMapIoU.__name__, ann_file=given.ann_file, dataset=given.dataset, **settings)
    config.test_evaluator = dict(same, split=f"{given.split}-label-map")
    if "semantic_head" in config.model:
        others = [dict(same, split=f"{given.split}-label-map-{name}", source=name, prefix=name) for name in MAPS[1:]]
        config.test_evaluator = [config.test_evaluator, *others]


@METRICS.register_module()
class LabelMapIoU(BaseMetric):
    """mIoU and pixel accuracy of the label maps that a segmenter gives, in the evaluator's place of a config.

    The truth is rendered from the annotations' instances by the same layer rule (`merge_instances`, holes left as they
    are). Where a data set's masks come from a label map (Clothing Co-Parsing, DeepFashion, the paper doll) they do not
    overlap, and the truth is that label map. Crowd regions are not judged. Annotations of categories that are no class
    of the model are left out, as in its training and in `InstanceAP`. After `compute_metrics` the attribute `report`
    has everything as a plain dict, of the 15 classes also converted to tryon8.

    Args:
        ann_file: COCO JSON with the ground truth.
        dataset: the data set's name for tables, such as 'ccp'.
        split: the split's name for tables, such as 'val-label-map'.
        score_thr: instances below this score are left out.
        one_per_class: keep of each class the instance of the highest score.
        fill_holes: give small holes in the body the labels around them, where instances are merged.
        source: what the maps are made of, one of `MAPS`; None for what `ClothingParser` takes.

    Raises:
        UserError: `ann_file` is missing or broken; or, later, the images are not the data set's, or a class of the
            model is no category.
    """

    default_prefix = "label_map"

    def __init__(
        self,
        ann_file: str,
        dataset: str,
        split: str,
        score_thr: float = SCORE_THR,
        one_per_class: bool = True,
        fill_holes: bool = True,
        source: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        content = read_coco(ann_file)
        refuse_faults(content, ann_file)
        # Exporters list a background, which every label space has already.
        names = [category["name"] for category in content["categories"] if category["name"] != "background"]
        if set(CLOTHING_CLASSES) <= set(names):
            unused = unused_categories(content, CLOTHING_CLASSES)
            names = [name for name in names if name not in unused]
        self._space = space_of(names)
        self._images = {image["id"]: image for image in content["images"]}
        self._annotations: defaultdict[int | str, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            self._annotations[annotation["image_id"]].append(annotation)
        self._class_of = {category: name for name, category in category_ids(content, names, ann_file).items()}
        self.ann_file, self.dataset, self.split = ann_file, dataset, split
        self.score_thr, self.one_per_class, self.fill_holes = score_thr, one_per_class, fill_holes
        self.source = source
        self.report: dict[str, Any] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Counts the pixels of a batch.

        `data_samples` are mmdet's samples as dicts, as `InstanceAP` takes them, and with `pred_sem_seg` of a model that
        labels pixels. An image that is another than that of its id in the annotation file is a `UserError`.
        """
        for sample in data_samples:
            check_evaluated(sample, self._images, self.ann_file)
            classes = self.dataset_meta["classes"]
            labeled = sample.get("pred_sem_seg")
            parsing = from_sample(sample["pred_instances"], classes, self.score_thr, self._space, labeled)
            self.source = self.source or parsing.best_map
            if self.one_per_class:
                parsing = parsing.best_per_class()
            truth = self.render_truth(sample["img_id"])
            predicted = parsing.label_map(fill_holes=self.fill_holes, source=self.source)
            pixels = confusion_matrix(torch.from_numpy(predicted), torch.from_numpy(truth), self._space)
            self.results.append((pixels, boundary_counts(predicted, truth, len(pixels))))

    def render_truth(self, image_id: int | str) -> np.ndarray:
        """The truth of an image: uint8 `(H, W)`, ids of the categories' label space, 255 in crowd regions."""
        image, classes = self._images[image_id], self.dataset_meta["classes"]
        annotations = [a for a in self._annotations[image_id] if self._class_of[a["category_id"]] in classes]
        masks = np.zeros((len(annotations), image["height"], image["width"]), bool)
        for mask, a in zip(masks, annotations, strict=True):
            mask[:] = coco_mask.decode(to_rle(a["segmentation"], image["width"], image["height"]))
        crowd = np.array([bool(a.get("iscrowd")) for a in annotations], bool)
        labels = np.array([self._space.id_of(self._class_of[a["category_id"]]) for a in annotations], np.int64)
        return merge_truth(masks, labels, crowd, self._space.name)

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Adds up a confusion matrix and `boundary_counts` for each image.

        Returns `mIoU`, `pixel_accuracy`, `boundary_mIoU`, ... in the categories' label space, in [0, 1].
        """
        total, (shared, either) = (np.sum(counts, axis=0) for counts in zip(*results, strict=True))
        summary = summarize(total, self._space.classes)
        for row, both, all_pixels in zip(summary["per_class"].values(), shared, either, strict=True):
            row["boundary_iou"] = share(both, all_pixels) if row["pixels"] else None
        summary["metrics"]["boundary_mIoU"] = mean([row["boundary_iou"] for row in summary["per_class"].values()])
        self.report = {
            "task": "parsing",
            "dataset": self.dataset,
            "split": self.split,
            "annotations": Path(self.ann_file).name,
            "images": len(results),
            "convention": {
                "map": self.source,
                "score_thr": self.score_thr,
                "one_per_class": self.one_per_class,
                "fill_holes": self.fill_holes,
                "label_space": self._space.name,
                "pooling": "pixels of all images, then the mean over the classes that occur in the truth",
            },
            **summary,
            "converted": {},
        }
        if self._space == DEEPFASHION15:
            becomes = np.eye(len(TRYON8.classes), dtype=int)[conversion_table(DEEPFASHION15.name, TRYON8.name)]
            self.report["converted"][TRYON8.name] = summarize(becomes.T @ total @ becomes, TRYON8.classes)
        self._log()
        return {name: value for name, value in self.report["metrics"].items() if value is not None}

    def _log(self) -> None:
        """Writes the table of classes to the log."""
        table = Table("class", "IoU", "boundary IoU", "accuracy", "share of the pixels", title=f"map: {self.source}")
        total = sum(row["pixels"] for row in self.report["per_class"].values())
        for name, row in self.report["per_class"].items():
            shares = (row["iou"], row["boundary_iou"], row["accuracy"], share(row["pixels"], total))
            table.add_row(name, *("-" if share is None else f"{share:.3f}" for share in shares))
        log_tables(table, width=80)
