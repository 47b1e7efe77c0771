"""Anybody's photos as a test set in VITON-HD's layout, for this repo's models and for others that read it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from seg_vton.data.folders import MARKER, read_marker
from seg_vton.errors import UserError
from seg_vton.files import remove_leftovers, write_json, write_text
from seg_vton.labels import DEEPFASHION15, conversion_table, convert, save_palette_png, working_space
from seg_vton.parsing.jobs import Job, Made, Run, read_records
from seg_vton.parsing.maps import ParsingMaps
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.crop import move_joints
from seg_vton.pictures.drawing import sheet
from seg_vton.pictures.images import save_picture
from seg_vton.pictures.photos import limited, read_cutout, read_photo
from seg_vton.pose import Poses
from seg_vton.pose.files import viton_hd_json
from seg_vton.pose.joints import NUM_JOINTS
from seg_vton.pose.keypoints import read_people
from seg_vton.tryon.datasets.agnostic import mark_joints
from seg_vton.tryon.datasets.layouts import read_pairs
from seg_vton.tryon.datasets.viton_hd import agnostic_image, agnostic_parse, has_trunk, hidden_region, parts_of
from seg_vton.tryon.inference.jobs import PairResults
from seg_vton.tryon.inference.person import prepare_person
from seg_vton.tryon.inference.run import people_of, with_files
from seg_vton.tryon.predictor import cut_garment
from seg_vton.tryon.visualization import draw_pose

DATA_SET = "photos prepared in VITON-HD's layout"
"""What the marker says; a folder whose marker says something else is never written to."""

LEFT_OUT = {
    "image-densepose": "detectron2's DensePose makes it (projects/DensePose/apply_net.py)",
    "openpose_img": "OpenPose's drawing of the skeleton: `openpose --write_images`",
}
"""Folders of VITON-HD that are not made, and what makes them."""

SHEET = "contact-sheet.jpg"
_PAIRS = "test_pairs.txt"
_ON_SHEET, _PANEL = 100, (256, 192)  # rows of the contact sheet at most; pixels of its panels
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}


class _Persons(PairResults):
    suffixes = {
        "image": ".jpg",
        "image-parse-v3": ".png",
        "image-parse-agnostic-v3.2": ".png",
        "agnostic-v3.2": ".jpg",
        "agnostic-mask": "_mask.png",
        "openpose_json": "_keypoints.json",
    }
    role, folder, roles = "person", "records/persons", {"person": "pose"}


class _Garments(PairResults):
    suffixes = {"cloth": ".jpg", "cloth-mask": ".jpg"}
    role, folder, roles = "garment", "records/garments", {"garment": "mask"}


@dataclass
class Prepared(Run):
    """What became of persons and garments; the jobs are not kept."""

    pairs: int = 0  # number of lines of `test_pairs.txt`


def prepare(
    out: str | Path,
    persons: Sequence[str | Path],
    garments: Sequence[str | Path],
    parser: ClothingParser | ParsingMaps,
    poses: Poses,
    size: tuple[int, int] = (1024, 768),
    body25: bool = True,
    label_space: str | None = None,
    overwrite: bool = False,
) -> Prepared:
    """Writes `OUT/test/{image,cloth,...}`, `OUT/test_pairs.txt`, `OUT/dataset.json` and a contact sheet.

    What cannot be made is said on stderr at once and the rest is done. What an earlier run wrote stays and is gone on
    with; lines of an earlier `test_pairs.txt` stay, too.

    Args:
        out: root of the set.
        persons: photos, and folders that are searched for photos to any depth.
        garments: the same.
        parser: a segmenter, or label maps of the persons; with those, garments are told from their background.
        poses: where the joints come from.
        size: (height, width) of all pictures.
        body25: joints in BODY_25's order; else in COCO's of 18.
        label_space: of the parsing maps to write; None for `working_space` of the parser's. VITON-HD's own, `cihp20`,
            comes of a parser of that space only: no other tells the torso's skin and left from right.
        overwrite: make everything anew.
    """
    root, test = Path(out), Path(out) / "test"
    said = read_marker(root).get("data_set")
    others = said is None and not (test / "records").is_dir() and any(map(Path.exists, (test, root / _PAIRS)))
    if others or said not in (None, DATA_SET):
        raise UserError(f"{root} is another data set ({said or 'with a test set already'}): choose another --out")
    maker = _Maker(parser, poses, size, body25, label_space)
    poses.load()
    remove_leftovers(root)
    outcome, made = Prepared(), []
    people, things = _Persons(test, maker.stamp), _Garments(test, {key: maker.stamp[key] for key in ("parser", "size")})
    finders = {"extra": poses, **({"parsing": parser} if isinstance(parser, ParsingMaps) else {})}
    # What cannot be found is said before the work begins.
    runs = [_plan(people, persons, finders, overwrite), _plan(things, garments, {}, overwrite)]
    for results, run, make in zip((people, things), runs, (maker.person, maker.garment), strict=True):
        outcome.merge(results.work(run, f"{results.role}s", make))
        # All that are there, earlier runs' too.
        records = read_records(results.out, results.role, results.folder)
        made.append([name for name in records if all(results.path(kind, name).exists() for kind in results.suffixes)])
    if not any(made):
        return outcome
    if all(made):
        outcome.pairs = _write_pairs(root / _PAIRS, *made)
    counts = {"persons": len(made[0]), "garments": len(made[1])}
    marker = {"data_set": DATA_SET, "layout": "viton_hd", **maker.stamp, **counts, "left_out": LEFT_OUT}
    write_json(root / MARKER, marker, overwrite=True, indent=1)
    save_picture(root / SHEET, _contact_sheet(people, things, *made), quality=90)
    return outcome


def _plan(
    results: PairResults, inputs: Sequence[str | Path], finders: Mapping[str, Poses | ParsingMaps], overwrite: bool
) -> Run:
    """What is to be made of photos; `finders` find the files that each needs, by the attribute of `Item` for them."""
    run, root = Run(), results.out.parent.resolve()
    # The set may be in a folder of photos, with the contact sheet of an earlier run.
    items = [
        item
        for item in results.find(inputs, results.role, run)
        if item.photo.name != SHEET or item.photo.parent.resolve() != root
    ]
    for which, finder in finders.items():
        items = with_files(items, which, lambda item, finder=finder: finder.file(item.photo, item.place), run)
    names = {item.name for item in items}
    for item in items:
        # White space parts the names of other repositories' pairs files; a comma or a quote may part ours.
        name = re.sub(r"[\s,;\"']+", "_", item.name)
        if name != item.name and name in names:
            run.fail(f"{item.photo} would be called {name}, like another photo: rename it")
        else:
            names.add(name)
            results.add(run, Job(name, (item,), tuple(results.suffixes)), overwrite)
    return run


class _Maker:
    """Makes all that comes of one photo."""

    def __init__(
        self,
        parser: ClothingParser | ParsingMaps,
        poses: Poses,
        size: tuple[int, int],
        body25: bool,
        label_space: str | None,
    ) -> None:
        self.maps, self.parser = (parser, None) if isinstance(parser, ParsingMaps) else (None, parser)
        self.poses, self.size, self.body25 = poses, size, body25
        source = self.maps.label_space if self.maps else self.parser.space.name
        self.seen = working_space(source) if self.maps else DEEPFASHION15.name
        conversion_table(source, self.seen)  # refuses a segmenter of other classes
        self.space = label_space or self.seen
        conversion_table(self.seen, self.space)  # refuses one without left and right, say
        parts_of(self.space)  # refuses one where nothing says what face and lower body are
        self.stamp: dict[str, Any] = {
            "label_space": self.space,
            "size": list(size),
            "pose_format": "body25" if body25 else "coco18",
            "pose": poses.name,
            "parser": {"label_space": source} if self.maps else self.parser.stamp,
        }

    def person(self, job: Job) -> Made:
        """The files of a person."""
        (item,) = job.items
        photo = read_photo(item.photo)
        if self.maps:
            labels = convert(self.maps.read(item.parsing, item.photo, photo.shape), self.maps.label_space, self.seen)
        else:
            labels = self.parser(limited(photo)).label_map(self.seen)
        person = prepare_person(photo, labels, people_of(self.poses, item.extra, photo), self.size, self.seen)
        joints = np.zeros((NUM_JOINTS, 3), np.float32)
        if person.joints is not None:
            joints = move_joints(person.joints, person.box, self.size)
        parse, image = convert(person.parse, self.seen, self.space), person.results["photo"]
        region = hidden_region(parse, joints, self.space).region
        warnings = list(person.warnings)
        if not has_trunk(joints):
            warnings.append("the pose lacks a shoulder or a hip: the gray is a rectangle around the garment")
        pose, hidden = viton_hd_json(joints, self.size, self.body25), agnostic_parse(parse, joints, self.space)
        return {
            "image": partial(save_picture, picture=image, **_JPEG),
            "image-parse-v3": lambda path: save_palette_png(path, parse, self.space, overwrite=True),
            "image-parse-agnostic-v3.2": lambda path: save_palette_png(path, hidden, self.space, overwrite=True),
            "agnostic-v3.2": partial(save_picture, picture=agnostic_image(image, region), **_JPEG),
            "agnostic-mask": partial(save_picture, picture=region.astype(np.uint8) * 255),
            "openpose_json": partial(write_json, content=pose, overwrite=True),
        }, {"warnings": warnings}

    def garment(self, job: Job) -> Made:
        """The files of a garment."""
        photo, alpha = read_cutout(job.items[0].photo)
        garment = cut_garment(photo, self.parser, self.size[1] / self.size[0], alpha)
        pictures = garment.files(self.size).items()
        writers = {kind: partial(save_picture, picture=picture, **_JPEG) for kind, picture in pictures}
        return writers, {"warnings": list(garment.warnings)}


def _write_pairs(path: Path, persons: Sequence[str], garments: Sequence[str]) -> int:
    """Adds a line for each person, and for each garment, that has none; returns the number of lines.

    A garment of a person's name is what they wear, as in VITON-HD; else persons take garments in turn.
    """
    lines = [tuple(pair) for pair in read_pairs(path)] if path.exists() else []
    dressed, worn, names = {person for person, _ in lines}, {garment for _, garment in lines}, set(garments)
    for index, person in enumerate(persons):
        if f"{person}.jpg" not in dressed:
            garment = person if person in names else garments[index % len(garments)]
            lines.append((f"{person}.jpg", f"{garment}.jpg"))
            worn.add(f"{garment}.jpg")
    left = [garment for garment in garments if f"{garment}.jpg" not in worn]
    lines += [(f"{persons[index % len(persons)]}.jpg", f"{garment}.jpg") for index, garment in enumerate(left)]
    write_text(path, "".join(f"{person} {garment}\n" for person, garment in lines), overwrite=True)
    return len(lines)


def _contact_sheet(
    people: PairResults, things: PairResults, persons: Sequence[str], garments: Sequence[str]
) -> np.ndarray:
    """All that was written, small: a row for each person and garment, the first `_ON_SHEET`; RGB uint8."""
    kinds = [*people.suffixes, *things.suffixes]
    rows = []
    for index in range(min(max(len(persons), len(garments)), _ON_SHEET)):
        names = [group[index] if index < len(group) else None for group in (persons, garments)]
        panels = [
            _small(results.path(kind, name) if name else None)
            for results, name in zip((people, things), names, strict=True)
            for kind in results.suffixes
        ]
        rows.append(("   ".join(filter(None, names)), panels))
    more = max(len(persons), len(garments)) - len(rows)
    return sheet(kinds, rows, f"{len(persons)} persons, {len(garments)} garments" + f", {more} more rows" * (more > 0))


def _small(path: Path | None) -> np.ndarray:
    """A file at the size of a panel; white where there is none."""
    if path is None:
        return np.full((*_PANEL, 3), 255, np.uint8)
    if path.suffix == ".json":
        maps = np.full((NUM_JOINTS, *_PANEL), -1, np.float32)
        for joints in read_people(path, _PANEL[::-1]):
            mark_joints(maps, joints[:, :2], 3)
        return draw_pose(torch.from_numpy(maps))
    with Image.open(path) as image:
        if image.mode == "P":
            return np.asarray(image.resize(_PANEL[::-1], Image.Resampling.NEAREST).convert("RGB"))
        return np.asarray(image.convert("RGB").resize(_PANEL[::-1]))
