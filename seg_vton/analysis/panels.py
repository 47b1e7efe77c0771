"""The figure of the paper: photograph, ground truth and the masks of several models, a row for each photograph."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask

from seg_vton.coco import rle_area
from seg_vton.engine.halves import half_of
from seg_vton.errors import UserError
from seg_vton.files import read_json, refuse_existing
from seg_vton.parsing.instances import MAPS, Parsing
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.drawing import Instance, draw_instances, sheet
from seg_vton.pictures.images import save_picture
from seg_vton.progress import track
from seg_vton.tryon.half import TryOnHalf

SHEET = "panels.png"


@dataclass(frozen=True)
class Source:
    """A column's title and its masks: of COCO results by `tools/test.py --out`, or of a config and a checkpoint.

    With one of `MAPS` the column shows the model's label map that is made of that.
    """

    name: str
    predictions: Path | None = None
    model: tuple[Path, Path] | None = None
    label_map: str | None = None


def parse_source(text: str) -> Source:
    """Reads `NAME=CONFIG,CHECKPOINT`, `NAME=CONFIG,CHECKPOINT,MAP` or `NAME=PREDICTIONS.json`; else `UserError`."""
    name, _, value = text.partition("=")
    label_map = next((kind for kind in MAPS if value.endswith(f",{kind}")), None)
    value = value.removesuffix(f",{label_map}")
    config, _, checkpoint = value.rpartition(",")
    if name and value.endswith(".json"):
        return Source(name, predictions=Path(value))
    if not (name and config and checkpoint):
        raise UserError(
            f"model {text!r}: write NAME=CONFIG,CHECKPOINT or NAME=PREDICTIONS.json, or for label maps "
            f"NAME=CONFIG,CHECKPOINT,MAP with one of {', '.join(MAPS)}"
        )
    return Source(name, model=(Path(config), Path(checkpoint)), label_map=label_map)


class Photographs:
    """Photographs of a config's split, 'val' or 'test', with their truth; faulty or try-on data is a `UserError`."""

    def __init__(self, config: Config, split: str) -> None:
        if isinstance(half_of(config), TryOnHalf):
            raise UserError(f"{config.filename} is a try-on config: tools/test.py --out writes the panels of those")
        init_default_scope(config.get("default_scope", "mmdet"))
        load = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True}]
        self.dataset: BaseDataset = DATASETS.build(dict(config[f"{split}_dataloader"].dataset, pipeline=load))
        self.classes: tuple[str, ...] = self.dataset.metainfo["classes"]
        self.palette: list[tuple[int, int, int]] = self.dataset.metainfo["palette"]
        infos = [self.dataset.get_data_info(index) for index in range(len(self.dataset))]
        self.index_of = {info["img_id"]: index for index, info in enumerate(infos)}
        self.path_of = {info["img_id"]: Path(info["img_path"]) for info in infos}
        self.size_of = {info["img_id"]: (info["width"], info["height"]) for info in infos}

    def find(self, wanted: Sequence[str]) -> list[Any]:
        """Ids of the photographs that are called by id or by file name; `UserError` unless each names just one."""
        by_text = {str(image_id): image_id for image_id in self.path_of}
        found = []
        for text in wanted:
            by_name = [image_id for image_id, path in self.path_of.items() if path.match(text)]
            matches = [by_text[text]] if text in by_text else by_name
            if len(matches) != 1:
                some = ", ".join(f"{i} ({self.path_of[i].name})" for i in (matches or list(self.path_of))[:5])
                what = f"{len(matches)} images are called" if matches else "no image has the id or file name"
                raise UserError(
                    f"{what} {text!r} among the {len(self.path_of)} of {self.dataset.ann_file}: {some}, ..."
                )
            found += matches
        return list(dict.fromkeys(found))

    def draw(self, count: int, seed: int) -> list[Any]:
        """Ids of `count` photographs, drawn at random, in the data set's order; `UserError` where there are fewer."""
        if not 1 <= count <= len(self.path_of):
            raise UserError(f"--random {count}: {self.dataset.ann_file} has {len(self.path_of)} images")
        chosen = np.random.default_rng(seed).choice(len(self.path_of), count, replace=False)
        ids = list(self.path_of)
        return [ids[index] for index in sorted(chosen)]

    def instance(self, label: int, mask: np.ndarray, score: float | None = None) -> Instance:
        """An instance to paint: class `label`, bool mask `(H, W)`."""
        return Instance(self.classes[label], self.palette[label], mask, score)

    def decode(self, found: Sequence[tuple[int, float, dict[str, Any]]]) -> list[Instance]:
        """Instances to paint of labels, scores and RLEs."""
        return [self.instance(label, coco_mask.decode(rle).astype(bool), score) for label, score, rle in found]

    def load(self, image_id: Any) -> tuple[np.ndarray, list[Instance]]:
        """A photograph, RGB uint8 `(H, W, 3)`, and its ground truth without what is to be ignored."""
        item = self.dataset[self.index_of[image_id]]
        entries = zip(item["gt_bboxes_labels"], item["gt_masks"].masks, item["gt_ignore_flags"], strict=True)
        truth = [self.instance(int(label), mask.astype(bool)) for label, mask, ignored in entries if not ignored]
        return item["img"][..., ::-1].copy(), truth


def read_rles(
    path: Path, photographs: Photographs, ids: Sequence[Any], score_thr: float
) -> dict[Any, list[tuple[int, float, dict[str, Any]]]]:
    """Class label, score and compressed RLE of the instances of COCO results, by image id.

    Args:
        path: JSON list of `image_id`, `category_id`, `score` and `segmentation` as compressed RLE. One that is missing
            or broken, has no masks, or is of other images or categories is a `UserError`.
        photographs: the data set that was predicted.
        ids: the photographs wanted.
        score_thr: the least score.
    """
    rows = read_json(path)
    kinds = {**dict.fromkeys(("image_id", "category_id"), int | str), "score": int | float, "segmentation": dict | list}
    rows = rows if isinstance(rows, list) else [None]
    if not all(isinstance(row, dict) and all(isinstance(row.get(k), kinds[k]) for k in kinds) for row in rows):
        raise UserError(f"{path} is not a list of COCO results with masks: `tools/test.py --out FILE.json` writes one")
    found: dict[Any, list[tuple[int, float, dict[str, Any]]]] = {image_id: [] for image_id in ids}
    for row in rows:
        image_id, rle = row["image_id"], row["segmentation"]
        if image_id not in photographs.path_of or row["category_id"] not in photographs.dataset.cat2label:
            raise UserError(
                f"{path}: image {image_id} or category {row['category_id']} is not in {photographs.dataset.ann_file}: "
                "these are predictions on other data; choose the --split they are of"
            )
        if image_id in found and row["score"] >= score_thr:
            try:
                rle_area(rle, *photographs.size_of[image_id])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{path}: a mask is broken or of another image ({error}); is the --split right?"
                ) from None
            found[image_id].append((photographs.dataset.cat2label[row["category_id"]], row["score"], rle))
    return found


def predict(
    model: tuple[Path, Path], photographs: Photographs, ids: Sequence[Any], score_thr: float
) -> dict[Any, Parsing]:
    """What a model finds by image id, given its config and checkpoint; `UserError` where its classes are others."""
    parser = ClothingParser(*model, score_thr=score_thr, one_per_class=False)
    if parser.classes != tuple(photographs.classes):
        raise UserError(
            f"checkpoint {model[1]} knows the classes {', '.join(parser.classes)}, not {', '.join(photographs.classes)}"
        )
    return {image_id: parser(photographs.load(image_id)[0]) for image_id in track(ids, model[1].name)}


def instances_of(parsing: Parsing, photographs: Photographs, label_map: str | None = None) -> list[Instance]:
    """What a model found as instances to paint, or the parts of its label map of a kind; `UserError` without one."""
    index = {name: number for number, name in enumerate(photographs.classes)}
    if label_map is None:
        entries = zip(parsing.classes, parsing.masks, parsing.scores.tolist(), strict=True)
        return [photographs.instance(index[name], mask, score) for name, mask, score in entries]
    if label_map != "instances" and parsing.semantic is None:
        raise UserError(f"the model has no semantic head, so it gives no {label_map} map")
    labels = parsing.best_per_class().label_map(source=label_map)
    names = {label: parsing.space.classes[label] for label in np.unique(labels[labels > 0]).tolist()}
    return [photographs.instance(index[name], labels == label) for label, name in names.items()]


def draw_panels(
    photographs: Photographs,
    sources: Sequence[Source],
    ids: Sequence[Any],
    out: str | Path,
    score_thr: float = 0.5,
    height: int = 720,
    overwrite: bool = False,
) -> Path:
    """Draws the figure `OUT/panels.png`, and each panel as `OUT/IMAGE_ID/COLUMN.png`; returns the figure's path.

    Args:
        photographs: the data set.
        sources: a column each, in this order, after the photograph and the ground truth; no name may come twice.
        ids: a row each.
        out: folder.
        score_thr: predictions below this score are left out.
        height: of a panel in pixels.
        overwrite: whether existing panels may be replaced.
    """
    if height < 1:
        raise UserError(f"--height is {height}: it must be 1 or more pixels")
    out, titles = Path(out), ["image", "ground truth", *(source.name for source in sources)]
    if len({_slug(title) for title in titles}) < len(titles):
        raise UserError(f"the columns {', '.join(titles)} need names that differ in letters and digits")
    paths = {(i, title): out / _slug(str(i)) / f"{_slug(title)}.png" for i in ids for title in titles}
    for path in (out / SHEET, *paths.values()):  # before anything is computed
        refuse_existing(path, overwrite)
    models = {s.model: predict(s.model, photographs, ids, score_thr) for s in sources if s.model}
    predicted = []
    for source in sources:
        if source.model:
            found = models[source.model].items()
            predicted.append({i: instances_of(parsing, photographs, source.label_map) for i, parsing in found})
        else:
            found = read_rles(source.predictions, photographs, ids, score_thr).items()
            predicted.append({i: photographs.decode(rows) for i, rows in found})
    rows, pictures = [], {}
    for image_id in track(ids, "panels"):
        photo, truth = photographs.load(image_id)
        columns = [[], truth, *(instances[image_id] for instances in predicted)]
        panels = [draw_instances(photo, instances, height) for instances in columns]
        pictures |= {paths[image_id, title]: panel for title, panel in zip(titles, panels, strict=True)}
        rows.append((f"{photographs.path_of[image_id].name}, id {image_id}", panels))
    pictures[out / SHEET] = sheet(titles, rows, f"predictions with a score of {score_thr:g} or more")
    for path, picture in pictures.items():
        save_picture(path, picture, overwrite)
    return out / SHEET


def _slug(text: str) -> str:
    """A name that is a file name everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"
