"""COCO-format data sets of clothing: categories by name, and faults of the data named before training starts."""

from collections.abc import Sequence
from itertools import chain
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import RandomFlip
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from seg_vton.coco import category_ids, judge_sizes, no_instances, read_coco, refuse_faults, unused_categories
from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.files import find_file
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, in_mirror


class NamedCategoryCOCO(COCO):
    """COCO annotations whose category ids come in the order of the names asked for; `UserError` for a faulty file.

    pycocotools filters the categories by name and keeps the file's order, whatever the order of the names; mmdet takes
    that order for the classes', so a file with another order trains under wrong names without a word.
    """

    def __init__(self, annotation_file: str) -> None:
        super().__init__()
        self.path = annotation_file
        self.dataset = read_coco(annotation_file)
        refuse_faults(self.dataset, annotation_file)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs  # mmdet's names for the new index

    def get_cat_ids(
        self, cat_names: Sequence[str] = (), sup_names: Sequence[str] = (), cat_ids: Sequence[int] = ()
    ) -> list[int]:
        """Category ids in the order of `cat_names`, see `category_ids`; without names as in pycocotools."""
        if not cat_names:
            return super().get_cat_ids(cat_names, sup_names, cat_ids)
        ids = category_ids(self.dataset, cat_names, self.path, CLOTHING_CLASSES)
        if unused := unused_categories(self.dataset, (*cat_names, *CLOTHING_CLASSES)):
            print_log(f"{self.path}: {', '.join(unused)} left out: no annotation has this category", "current")
        return [ids[name] for name in cat_names]


@DATASETS.register_module()
class ClothingDataset(SeededSamples, CocoDataset):
    """The 15 DeepFashion classes in COCO format (DeepFashion In-shop, Clothing Co-Parsing, the paper doll).

    It differs from mmdet's `DeepFashionDataset` (same classes, order and colors) in what it refuses: categories are
    matched by name, whatever their order and ids in the file. What `refuse_faults` does not let pass, a missing root,
    annotation file or image, an image of another size than declared, an unknown or missing category, flips of classes
    that name sides, and a set to train on without an instance raise `UserError` when the data set is built, before any
    training. Images without instances are kept unless `filter_cfg=dict(filter_empty_gt=True)` leaves them out.
    """

    METAINFO = {"classes": CLOTHING_CLASSES, "palette": list(DEEPFASHION15.palette[1:])}
    COCOAPI = NamedCategoryCOCO

    def sample_file(self, index: int) -> str:
        """The photo of a sample."""
        return self.get_data_info(index)["img_path"]

    def load_data_list(self) -> list[dict]:
        """Loads mmdet's dicts, one an image: `img_path`, `img_id`, `height`, `width`, `instances`."""
        if self.data_root and not Path(self.data_root).is_dir():
            raise UserError(
                f"data root {self.data_root} does not exist: data/README.md says how to get and convert the data sets; "
                "data_root in the config says where to look"
            )
        data_list = super().load_data_list()
        if not data_list:
            raise UserError(f"{self.ann_file} lists no image: choose another annotation file")
        missing = []
        for info in data_list:
            found = find_file(Path(info["img_path"]))
            if found is None:
                missing.append(info["img_path"])
            else:
                info["img_path"] = str(found)
        if missing:
            lines = [f"{len(missing)} of the {len(data_list)} images in {self.ann_file} are not on disk:"]
            lines += [f"  {path}" for path in missing[:10]] + (["  ..."] if len(missing) > 10 else [])
            lines += ["Put them there, or set data_root and data_prefix=dict(img=...) in the config to where they are"]
            raise UserError("\n".join(lines))
        self._check_sizes(data_list)
        self._check_flips()
        instances = [instance for info in data_list for instance in info["instances"]]
        if not self.test_mode and all(instance["ignore_flag"] for instance in instances):
            raise UserError(
                f"{self.ann_file} has no instance of {', '.join(self.metainfo['classes'])} to train on: "
                f"{no_instances(len(instances))}"
            )
        return data_list

    def _check_sizes(self, data_list: Sequence[dict[str, Any]]) -> None:
        """Raises `UserError` where images have another size, as the pipeline decodes them, than the file declares."""
        loader = next((step for step in self.pipeline.transforms if hasattr(step, "color_type")), None)
        decoder = {"flag": loader.color_type, "backend": loader.imdecode_backend} if loader else {}
        sizes = {info["img_path"]: (info["width"], info["height"]) for info in data_list}
        found = judge_sizes(sizes, self.ann_file, **decoder)
        for kind, messages in found.errors.items():
            raise UserError(f"{messages[0]}. {len(messages)} of the {len(sizes)} images have this fault ({kind})")
        for kind, messages in found.warnings.items():
            print_log(f"{kind} ({len(messages)}): {messages[0]}", "current", WARNING)

    def _check_flips(self) -> None:
        """Raises `UserError` where photos are mirrored and classes name sides, which mmdet's flip does not exchange."""
        classes = self.metainfo["classes"]
        sided = [classes[index] for index, other in enumerate(in_mirror(classes)) if index != other]
        views = [view.transforms for step in self.pipeline.transforms for view in getattr(step, "subroutines", ())]
        flips = [step for step in chain(self.pipeline.transforms, *views) if isinstance(step, RandomFlip)]
        if sided and any(np.any(flip.prob) for flip in flips):
            raise UserError(
                f"{self.ann_file} tells sides apart ({', '.join(sided)}), and RandomFlip mirrors photos without "
                "exchanging left and right: set its prob to 0.0 in the pipeline, and test without --tta"
            )
