"""COCO-format data sets of clothing: categories by name, and faults of the data named before training starts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS

from seg_vton.coco import check_category_names, check_sections, refuse_broken_entries
from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15


class NamedCategoryCOCO(COCO):
    """COCO annotations whose category ids come in the order of the names asked for.

    pycocotools filters the categories by name and keeps the file's order, whatever the order of the names; mmdet takes
    that order for the classes', so a file with another order trains under wrong names without a word.

    Raises:
        UserError: the file is missing, not whole JSON, or lacks a section, or an entry is broken.
    """

    def __init__(self, annotation_file: str) -> None:
        super().__init__()
        self.path = annotation_file
        self.dataset = read_json(annotation_file)
        check_sections(self.dataset, annotation_file)
        refuse_broken_entries(self.dataset, annotation_file)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs  # mmdet's names for the new index

    def get_cat_ids(
        self, cat_names: Sequence[str] = (), sup_names: Sequence[str] = (), cat_ids: Sequence[int] = ()
    ) -> list[int]:
        """Category ids in the order of `cat_names`, see `check_category_names`; without names as in pycocotools."""
        if not cat_names:
            return super().get_cat_ids(cat_names, sup_names, cat_ids)
        categories = self.dataset["categories"]
        check_category_names([category["name"] for category in categories], cat_names, self.path, CLOTHING_CLASSES)
        ids = {category["name"]: category["id"] for category in categories}
        return [ids[name] for name in cat_names]


def missing_files(paths: Iterable[str | Path]) -> list[Path]:
    """Those of `paths` that do not exist, in order; each folder is listed once, files are not touched."""
    folders: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in map(Path, paths):
        folders[path.parent].append(path)
    missing = []
    for folder, wanted in folders.items():
        present = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        missing.extend(path for path in wanted if path.name not in present)
    return missing


@DATASETS.register_module()
class ClothingDataset(SeededSamples, CocoDataset):
    """The 15 DeepFashion classes in COCO format (DeepFashion In-shop, Clothing Co-Parsing, the paper doll).

    It differs from mmdet's `DeepFashionDataset` (same classes, order and colors) in what it refuses: categories are
    matched by name, whatever their order and ids in the file, and a missing root, annotation file or image and an
    unknown or missing category raise `UserError` when the data set is built, before any training. Images without
    instances are kept unless `filter_cfg=dict(filter_empty_gt=True)` leaves them out.
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
        missing = missing_files(info["img_path"] for info in data_list)
        if missing:
            lines = [f"{len(missing)} of the {len(data_list)} images in {self.ann_file} are not on disk:"]
            lines += [f"  {path}" for path in missing[:10]] + (["  ..."] if len(missing) > 10 else [])
            lines += ["Put them there, or set data_root and data_prefix=dict(img=...) in the config to where they are"]
            raise UserError("\n".join(lines))
        return data_list
