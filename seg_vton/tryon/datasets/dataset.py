"""The try-on data set: persons, in-shop garments, parsing maps and poses as the tensors of GMM and TOM."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, conversion_table, dropped_classes, get_space
from seg_vton.pose.face import label_face
from seg_vton.pose.keypoints import read_pose
from seg_vton.registry import DATASETS
from seg_vton.tryon.datasets import agnostic
from seg_vton.tryon.datasets.images import read_mask, read_parse, read_photo, read_theta
from seg_vton.tryon.datasets.layouts import KNOWN_WARP, WARPED, FileFinder, Layout, Pair, Place, get_layout, read_pairs
from seg_vton.tryon.datasets.predicted import PredictedParsing, find_unusable

_EXAMPLES = 10


class _Labels(NamedTuple):
    """What ids of a label space mean to the models."""

    space: str
    garment: tuple[int, ...]  # ids of the garment that is tried on
    aux: np.ndarray  # see `_aux_table`


@DATASETS.register_module()
class TryOnDataset(SeededSamples):
    """Pairs of a person and a garment in one of the layouts of `seg_vton.tryon.datasets.layouts`.

    Everything that can be known before training is looked at when the data set is built: pairs, folders, missing
    files and poses. An item is `dict(inputs=..., data_samples=...)`; mmengine's `default_collate` makes batches of it.

    `inputs`, float32 unless said, RGB, images in [-1, 1], `H, W = image_size`:

    | key                               | shape         | what                                                    |
    |-----------------------------------|---------------|---------------------------------------------------------|
    | `agnostic`                        | (22, H, W)    | body shape 1, head 3, pose 18: `cloth_agnostic`         |
    | `cloth`, `cloth_mask`             | (3 / 1, H, W) | the in-shop garment, its mask of 0 and 1                |
    | `image`                           | (3, H, W)     | the person                                              |
    | `parse_cloth`, `parse_cloth_mask` | (3 / 1, H, W) | the garment they wear on white: GMM's target; its mask  |
    | `parse`                           | (H, W) int64  | ids of `aux_label_space`, 255 where it has no label     |
    | `warped_cloth`, `warped_mask`     | (3 / 1, H, W) | exported warps, where `folders` names them              |
    | `theta`                           | (50,)         | the warp that GMM is to find, where `folders` names it  |
    | `target`, `target_parse`          | as `image`, `parse` | truth of the try-on, in the paper doll's unpaired set |

    `data_samples` has metainfo only: `person` and `garment` (file names without suffix), `paired`, `ori_shape` (height
    and width of the person's file), `img_shape`, `label_space` (of `parse`), `image_path`, `cloth_path`.

    Args:
        data_root: root of the data set; of a category for `dresscode`.
        pairs: pairs file, relative to the root.
        layout: `viton`, `viton_hd`, `dresscode` or `paper_doll`.
        label_space: of the parsing maps on disk. No default: nothing in a map says what its ids mean.
        split: folder of the split, `train` or `test`.
        image_size: (height, width) of all tensors. What is not of this size is resized: photos as the data set's
            published code does it, label maps and masks by nearest, keypoints scaled.
        aux_label_space: space of `parse`, the target of the auxiliary decoders.
        pose_radius: radius of the squares that mark joints, in pixels.
        own_garments: give each person the garment they wear, whatever the pairs file says. Neither VITON nor VITON-HD
            has a paired list of its test set.
        garment_classes: classes of the garment that is tried on, in place of the label space's upper union; for
            DressCode's `lower_body`, `("pants", "skirt")`.
        folders: other folders by role, of the split or paths: `dict(parse="image-parse-new")` for CP-VTON+'s maps,
            which are in `lip21`, `dict(warped_cloth="warp-cloth", warped_mask="warp-mask")` for exported warps,
            `dict(theta="warp")` for the known warps of pairs that are made from photos.
        parse: where persons' parsing maps come from. `dict(source="files")`, the default, takes the data set's own;
            `dict(source="predicted", ...)` takes a segmenter's, see `PredictedParsing` for the other keys: agnostic
            representation and, unless it says otherwise, all targets are made from them. Pairs whose predicted map
            lacks an upper garment or a head are left out where targets come from it, with the counts in the log.

    Attributes:
        left_out: number of pairs left out by reason.

    Raises:
        UserError: the data or an argument is at fault; the message says which and how to fix it.
    """

    def __init__(
        self,
        data_root: str | Path,
        pairs: str,
        layout: str,
        label_space: str,
        split: str,
        image_size: Sequence[int] = (256, 192),
        aux_label_space: str = "tryon8",
        pose_radius: int = agnostic.RADIUS,
        own_garments: bool = False,
        garment_classes: Sequence[str] | None = None,
        folders: Mapping[str, str] | None = None,
        parse: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.layout: Layout = get_layout(layout)
        _refuse_lower_body(self.layout, Path(data_root), garment_classes)
        self.label_space, self.aux_label_space = label_space, aux_label_space
        self.image_size = _checked_size(image_size)
        if pose_radius < 0:
            raise UserError(f"pose_radius is {pose_radius}: it must be 0 or more pixels")
        self.pose_radius = pose_radius
        self.predicted = _predicted(parse)
        self._own = _labels(label_space, garment_classes, aux_label_space)
        self._seen = self.predicted and _labels(PredictedParsing.label_space, garment_classes, aux_label_space)
        self.pairs_file = Path(data_root) / pairs
        self.pairs = self._load_pairs(own_garments)
        self.files = self._find_files(Path(data_root), split, dict(folders or {}))
        self.left_out: Counter[str] = Counter()
        if self.predicted is not None:
            self._find_predicted(self.layout.split_root(data_root, split))
        self._warn_of_other_garments(split)
        self._joints = self._load_poses()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Classes, colors and name of the label space of `parse`."""
        space = get_space(self.aux_label_space)
        return {"classes": space.classes, "palette": list(space.palette), "label_space": space.name}

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def _load_pairs(self, own_garments: bool) -> list[Pair]:
        pairs = read_pairs(self.pairs_file)
        return [Pair(p.person, self.layout.own_garment(p.person)) for p in pairs] if own_garments else pairs

    def _find_files(self, data_root: Path, split: str, folders: dict[str, str]) -> list[dict[str, Path]]:
        """Paths by role for each pair."""
        finder = FileFinder(self.layout.split_root(data_root, split), self._places(data_root, folders), folders)
        files, missing = [], []
        for pair in self.pairs:
            found = {role: finder.find(role, pair) for role in finder.places}
            missing += [path for path, there in found.values() if not there]
            files.append({role: path for role, (path, _) in found.items()})
        if missing:
            _refuse_missing(list(dict.fromkeys(missing)), self.pairs_file)
        return files

    def _places(self, data_root: Path, folders: Mapping[str, str]) -> dict[str, Place]:
        """Places of the roles to read: exported warps when asked for, a truth when it is of these very pairs."""
        optional = {**WARPED, **KNOWN_WARP}
        known = {**self.layout.places, **optional}
        unknown = [role for role in folders if role not in known]
        if unknown:
            raise UserError(f"folders has {', '.join(unknown)}; known: {', '.join(known)}")
        places = {role: place for role, place in known.items() if role not in optional or role in folders}
        if self.predicted is not None and not self.predicted.own_targets and "parse" not in folders:
            del places["parse"]  # there may be none
        if not self._has_truth(data_root):
            places = {role: place for role, place in places.items() if not role.startswith("target")}
        return places

    def _find_predicted(self, split_root: Path) -> None:
        """Finds the predicted maps, and leaves out pairs that they make useless."""
        maps = self.predicted.find(split_root, [files["image"] for files in self.files])
        for files in self.files:
            files["predicted_parse"] = maps[files["image"]]
        reasons = {} if self.predicted.own_targets else find_unusable(maps)
        self.left_out.update(reasons[files["image"]] for files in self.files if files["image"] in reasons)
        kept = [i for i, files in enumerate(self.files) if files["image"] not in reasons]
        if not kept:
            raise UserError(
                f"no pair of {self.pairs_file} is left to train on: {dict(self.left_out)} ({maps[next(iter(maps))]})"
            )
        self.pairs, self.files = [self.pairs[i] for i in kept], [self.files[i] for i in kept]

    def _has_truth(self, data_root: Path) -> bool:
        name = self.layout.truth_pairs
        if name is None or all(map(self._paired, self.pairs)):
            return False
        return set(self.pairs) <= set(read_pairs(data_root / name))

    def _paired(self, pair: Pair) -> bool:
        return pair.garment == self.layout.own_garment(pair.person)

    def _warn_of_other_garments(self, split: str) -> None:
        others = sum(not self._paired(pair) for pair in self.pairs)
        if split == "train" and others:
            print_log(
                f"{self.pairs_file}: by their names, {others} of {len(self.pairs)} persons do not wear the garment of "
                "their line; a training takes it for what they wear",
                logger="current",
                level=logging.WARNING,
            )

    def _load_poses(self) -> list[np.ndarray | None]:
        """Joints of each pair's person, in pixels of their file, so that a broken file shows before training."""
        joints = {path: read_pose(path) for path in dict.fromkeys(files["pose"] for files in self.files)}
        empty = [path for path, pose in joints.items() if pose is None]
        if empty:
            print_log(
                f"{len(empty)} of {len(joints)} pose files have no people and give empty pose maps: {empty[0]}, ...",
                logger="current",
                level=logging.WARNING,
            )
        return [joints[files["pose"]] for files in self.files]

    def sample_file(self, index: int) -> str:
        """The person's photo."""
        return str(self.files[index]["image"])

    def load_sample(self, index: int) -> dict[str, Any]:
        """The item of a pair; see the class."""
        files = self.files[index]
        photo, ori_shape = read_photo(files["image"], self.image_size, self.layout.resampling)
        inputs = self._person_inputs(photo, files, self._scaled_joints(index, ori_shape), ori_shape)
        inputs |= self._garment_inputs(files)
        if "target" in files:
            target, shape = read_photo(files["target"], self.image_size, self.layout.resampling)
            inputs["target"] = agnostic.to_unit(target)
            inputs["target_parse"] = self._own.aux[self._read_parse(files["target_parse"], shape)]
        tensors = {key: torch.from_numpy(value) for key, value in inputs.items()}
        return {"inputs": tensors, "data_samples": self._data_sample(index, ori_shape)}

    def _person_inputs(
        self, photo: np.ndarray, files: Mapping[str, Path], joints: np.ndarray | None, ori_shape: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """`person_inputs` and `parse`: of the data set's own map, of the predicted one, or of both."""
        if self.predicted is None:
            return self._of_map(photo, self._read_parse(files["parse"], ori_shape), joints, self._own)
        seen = read_parse(files["predicted_parse"], self._seen.space, self.image_size, ori_shape)
        seen = seen if joints is None else label_face(seen, joints, self._seen.space)
        if not self.predicted.own_targets:
            return self._of_map(photo, seen, joints, self._seen)
        inputs = self._of_map(photo, self._read_parse(files["parse"], ori_shape), joints, self._own)
        inputs["agnostic"] = agnostic.cloth_agnostic(inputs["image"], seen, joints, self._seen.space, self.pose_radius)
        return inputs

    def _of_map(
        self, photo: np.ndarray, parse: np.ndarray, joints: np.ndarray | None, labels: _Labels
    ) -> dict[str, np.ndarray]:
        """`person_inputs` and `parse` of one map."""
        inputs = person_inputs(photo, parse, joints, labels.space, labels.garment, self.pose_radius)
        return {**inputs, "parse": labels.aux[parse]}

    def _read_parse(self, path: Path, photo: tuple[int, int]) -> np.ndarray:
        """A person's parsing map at the model's size: uint8 ids of `label_space`."""
        return read_parse(path, self.label_space, self.image_size, photo)

    def _scaled_joints(self, index: int, ori_shape: tuple[int, int]) -> np.ndarray | None:
        """Joints in pixels of the model's size."""
        joints = self._joints[index]
        width, height = self.layout.pose_frame or ori_shape[::-1]
        if joints is None or (height, width) == self.image_size:
            return joints
        return joints * (self.image_size[1] / width, self.image_size[0] / height)

    def _garment_inputs(self, files: Mapping[str, Path]) -> dict[str, np.ndarray]:
        """The garment and its mask, in-shop and, where there are exported ones, warped."""
        inputs = {}
        for role in ("cloth", "warped_cloth"):
            if role in files:
                inputs[role] = agnostic.to_unit(read_photo(files[role], self.image_size, self.layout.resampling)[0])
        for role in ("cloth_mask", "warped_mask"):
            if role in files:
                inputs[role] = read_mask(files[role], self.image_size)[None].astype(np.float32)
        if "theta" in files:
            inputs["theta"] = read_theta(files["theta"])
        return inputs

    def _data_sample(self, index: int, ori_shape: tuple[int, int]) -> BaseDataElement:
        pair, files = self.pairs[index], self.files[index]
        return BaseDataElement(
            metainfo={
                "person": Path(pair.person).stem,
                "garment": Path(pair.garment).stem,
                "paired": self._paired(pair),
                "ori_shape": ori_shape,
                "img_shape": self.image_size,
                "label_space": self.aux_label_space,
                "image_path": str(files["image"]),
                "cloth_path": str(files["cloth"]),
            }
        )


def person_inputs(
    photo: np.ndarray,
    parse: np.ndarray,
    joints: np.ndarray | None,
    label_space: str,
    garment_ids: Sequence[int],
    radius: int = agnostic.RADIUS,
) -> dict[str, np.ndarray]:
    """What the models get of a person.

    Args:
        photo: uint8 RGB `(H, W, 3)`.
        parse: uint8 ids `(H, W)`.
        joints: float64 `(18, 2)`, x and y in pixels; None for a person without a pose.
        label_space: of `parse`.
        garment_ids: of the garment that is tried on; the label space's upper union as a rule.
        radius: of the squares that mark joints, in pixels.

    Returns:
        `image`, `agnostic`, `parse_cloth` and `parse_cloth_mask`; see `TryOnDataset`.
    """
    image, worn = agnostic.to_unit(photo), agnostic.union_mask(parse, garment_ids)
    return {
        "image": image,
        "agnostic": agnostic.cloth_agnostic(image, parse, joints, label_space, radius),
        "parse_cloth": agnostic.on_white(image, worn),
        "parse_cloth_mask": worn[None].astype(np.float32),
    }


def _checked_size(size: Sequence[int]) -> tuple[int, int]:
    """(height, width), refused unless the body shape can be shrunk to a sixteenth of it."""
    if len(size) != 2 or not all(isinstance(side, int) and side >= 16 for side in size):
        raise UserError(f"image_size is {size}: it must be (height, width), whole numbers from 16, such as (256, 192)")
    return size[0], size[1]


def _garment_ids(label_space: str, classes: Sequence[str] | None) -> tuple[int, ...]:
    space = get_space(label_space)
    return space.unions.upper if classes is None else tuple(space.id_of(name) for name in classes)


def _refuse_lower_body(layout: Layout, data_root: Path, garment_classes: Sequence[str] | None) -> None:
    """Without its classes named, the upper garments would be taken for those that are tried on."""
    if layout.name == "dresscode" and data_root.resolve().name == "lower_body" and garment_classes is None:
        raise UserError(f"{data_root} has garments of the lower body: set garment_classes=('pants', 'skirt')")


def _predicted(parse: Mapping[str, Any] | None) -> PredictedParsing | None:
    """The segmenter's maps, or None for the data set's own."""
    settings = dict(parse or {})
    source = settings.pop("source", "files")
    if source not in ("files", "predicted") or (source == "files" and settings):
        raise UserError(
            f"parse is dict(source='files') or dict(source='predicted', folder=..., ...), not {dict(parse or {})}; "
            "folders=dict(parse=...) names another folder of the data set's own maps"
        )
    return PredictedParsing(**settings) if source == "predicted" else None


def _labels(space: str, garment_classes: Sequence[str] | None, aux_label_space: str) -> _Labels:
    return _Labels(space, _garment_ids(space, garment_classes), _aux_table(space, aux_label_space))


def _aux_table(source: str, target: str) -> np.ndarray:
    """Auxiliary id by source id, int64; `IGNORE_INDEX` for a source class that the auxiliary space has no label for."""
    table = conversion_table(source, target).astype(np.int64)
    table[[get_space(source).id_of(name) for name in dropped_classes(source, target)]] = IGNORE_INDEX
    return table


def _refuse_missing(missing: Sequence[Path], pairs_file: Path) -> None:
    lines = [
        f"missing: {len(missing)} of the files that {pairs_file} asks for:",
        *(f"  {p}" for p in missing[:_EXAMPLES]),
    ]
    lines += ["  ..."] if len(missing) > _EXAMPLES else []
    raise UserError("\n".join([*lines, "Put them there, or take their lines out of the pairs file"]))
