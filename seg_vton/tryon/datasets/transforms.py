"""The steps that make an item of try-on data; a config lists them, as in mmdet.

Each takes and returns a dict, `results`. The data set puts in `files` (paths by role), `image_size` ((height, width) of
all tensors), `layout`, `label_spaces` (of parsing maps, by role), `garment_classes`, the metainfo of the sample, and an
empty dict `inputs` for what the models get, which are NumPy arrays until `PackTryOnInputs`. `TryOn` puts in arrays in
the place of files: `photo`, `parsing` with `parsing_space`, `joints`, `cloth` and `cloth_mask`. A loader leaves alone
what is there.

A step of one's own is a `BaseTransform` that is registered in `TRANSFORMS`, in a module that the config's
`custom_imports` names. If it reads files, its attribute `roles` names their roles, and the data set finds them:

>>> @TRANSFORMS.register_module()
... class PoseAgnostic(BaseTransform):
...     def transform(self, results):
...         maps = np.full((18, *results["image_size"]), -1, np.float32)
...         if results["joints"] is not None:
...             mark_joints(maps, results["joints"])
...         results["inputs"]["agnostic"] = maps
...         return results
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, conversion_table, dropped_classes, get_space
from seg_vton.pictures.images import read_mask, read_parse, read_picture
from seg_vton.pose.choice import choose_pose
from seg_vton.pose.face import label_face
from seg_vton.pose.joints import NUM_JOINTS
from seg_vton.pose.keypoints import read_people
from seg_vton.registry import TRANSFORMS
from seg_vton.tryon.datasets import agnostic, viton_hd

WARP_GRID = 5
"""Control points along each side of the known warps in files: GMM's grid as published."""


@TRANSFORMS.register_module()
class LoadPerson(BaseTransform):
    """Loads the person: `photo`, uint8 RGB `(H, W, 3)`, and `ori_shape`, (height, width) of the file.

    `inputs["image"]` is the photo, float32 `(3, H, W)` in [-1, 1]; `inputs["target"]`, where the data set has a truth
    of the try-on, the person in the pair's garment.
    """

    roles = ("image",)
    optional_roles = ("target",)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        files, size = results.get("files", {}), results["image_size"]
        if "photo" not in results:
            results["photo"], results["ori_shape"] = read_picture(files["image"], size, results["layout"].resampling)
        results["inputs"]["image"] = agnostic.to_unit(results["photo"])
        if "target" in files:
            target, results["target_shape"] = read_picture(files["target"], size, results["layout"].resampling)
            results["inputs"]["target"] = agnostic.to_unit(target)
        return results


@TRANSFORMS.register_module()
class LoadGarment(BaseTransform):
    """Loads the in-shop garment: `cloth`, uint8 RGB `(H, W, 3)`, and `cloth_mask`, bool `(H, W)`.

    `inputs` get both, float32 `(3, H, W)` in [-1, 1] and `(1, H, W)` of 0 and 1. Where `folders` of the data set names
    them: exported warps as `warped_cloth` and `warped_mask`, likewise, and `theta`, float32 `(50,)`, a known warp.
    """

    roles = ("cloth", "cloth_mask")
    optional_roles = ("warped_cloth", "warped_mask", "theta")

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        files, size = results.get("files", {}), results["image_size"]
        for role in ("cloth", "warped_cloth"):
            if role not in results and role in files:
                results[role] = read_picture(files[role], size, results["layout"].resampling)[0]
            if role in results:
                results["inputs"][role] = agnostic.to_unit(results[role])
        for role in ("cloth_mask", "warped_mask"):
            if role not in results and role in files:
                results[role] = read_mask(files[role], size)
            if role in results:
                results["inputs"][role] = results[role][None].astype(np.float32)
        if "theta" in files:
            results["inputs"]["theta"] = read_theta(files["theta"])
        return results


@TRANSFORMS.register_module()
class LoadParsing(BaseTransform):
    """Loads a parsing map: `results[key]`, uint8 ids `(H, W)`, and its label space's name, `results[key + "_space"]`.

    Args:
        role: of the file: `parse`, the data set's own, or `predicted_parse`, a segmenter's (see
            `seg_vton.tryon.datasets.predicted`).
        label_space: of the file; None takes the data set's, or what the record of the segmenter's maps says.
        key: of the map in the results.
        record: entries that the record of the segmenter's maps must have, such as `checkpoint_sha256` or `score_thr`:
            maps of another segmenter are refused. None takes any.
    """

    def __init__(
        self,
        role: str = "parse",
        label_space: str | None = None,
        key: str = "parsing",
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.role, self.roles, self.label_space, self.key = role, (role,), label_space, key
        self.record = dict(record or {})

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        if self.key not in results:
            space = self.label_space or results["label_spaces"][self.role]
            path, size = results["files"][self.role], results["image_size"]
            results[self.key] = read_parse(path, space, size, results["ori_shape"])
            results[f"{self.key}_space"] = space
        return results


@TRANSFORMS.register_module()
class LoadPose(BaseTransform):
    """Loads the person's `joints`: float64 `(18, 2)`, x and y in pixels of the model's images; None without a pose.

    Of several people in a file it is the one on the body, as in `tools/try_on.py`; `parsing` is the key of the map in
    the results that says where the body is.
    """

    roles = ("pose",)

    def __init__(self, parsing: str = "parsing") -> None:
        self.parsing = parsing

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        if "joints" not in results:
            size, photo = results["image_size"][::-1], results["ori_shape"][::-1]
            people = read_people(results["files"]["pose"], size, photo, results["layout"].pose_frame)
            body = results.get(self.parsing, np.ones(size[::-1], np.uint8)) > 0
            choice = choose_pose(people, body)
            results["joints"] = None if choice is None else choice.joints[:, :2]
        return results


@TRANSFORMS.register_module()
class FaceFromPose(BaseTransform):
    """Labels skin above the chin as face in maps without a pixel of face, such as those of Clothing Co-Parsing.

    Maps whose label space has no `skin` or no `face` stay as they are; see `label_face`. `key` is the map's in the
    results.
    """

    def __init__(self, key: str = "parsing") -> None:
        self.key = key

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Changes the map; see the class."""
        if results["joints"] is not None:
            results[self.key] = label_face(results[self.key], results["joints"], results[f"{self.key}_space"])
        return results


@TRANSFORMS.register_module()
class CPVTONAgnostic(BaseTransform):
    """CP-VTON's person representation, `inputs["agnostic"]`, float32 `(22, H, W)`: see `agnostic.cloth_agnostic`.

    Args:
        parsing: key of the parsing map in the results.
        pose_radius: radius of the squares that mark joints, in pixels; None: 5, as published, in images of 256 rows, in
            proportion and rounded down in others (2 in 128 rows).

    Raises:
        UserError: the radius is negative.
    """

    def __init__(self, parsing: str = "parsing", pose_radius: int | None = None) -> None:
        if pose_radius is not None and pose_radius < 0:
            raise UserError(f"pose_radius is {pose_radius}: it must be 0 or more pixels")
        self.parsing, self.pose_radius = parsing, pose_radius

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        radius = agnostic.RADIUS * results["image_size"][0] // 256 if self.pose_radius is None else self.pose_radius
        parsing, space = results[self.parsing], results[f"{self.parsing}_space"]
        results["inputs"]["agnostic"] = self.represent(results, parsing, space, radius)
        return results

    def represent(self, results: dict[str, Any], parsing: np.ndarray, space: str, radius: int) -> np.ndarray:
        """The representation; see the class."""
        return agnostic.cloth_agnostic(results["inputs"]["image"], parsing, results["joints"], space, radius)


@TRANSFORMS.register_module()
class VITONHDAgnostic(CPVTONAgnostic):
    """VITON-HD's person representation for CP-VTON's stages, `inputs["agnostic"]`, float32 `(21, H, W)` in [-1, 1].

    The photo with torso, arms and neck in gray (3 channels, see `viton_hd.hidden_region`), then CP-VTON's pose maps
    (18). It hides the arms, whose outline CP-VTON's body shape gives away with the old sleeves', and shows trousers,
    hands beyond the strokes and background. Models of it have `person_channels=21`; arguments as `CPVTONAgnostic`'s.
    `UserError` where the data set tries on a garment that it shows.
    """

    def represent(self, results: dict[str, Any], parsing: np.ndarray, space: str, radius: int) -> np.ndarray:
        """The representation; see the class."""
        kept = {get_space(space).classes[label] for label in viton_hd.parts_of(space).kept}
        if shown := kept & {*(results.get("garment_classes") or ())}:
            raise UserError(
                f"VITONHDAgnostic shows {', '.join(sorted(shown))}, which garment_classes says are to be tried on: it "
                "is for upper garments; use CPVTONAgnostic"
            )
        channels = np.full((3 + NUM_JOINTS, *parsing.shape), -1, np.float32)
        region = viton_hd.hidden_region(parsing, results["joints"], space).region
        channels[:3] = agnostic.to_unit(viton_hd.agnostic_image(results["photo"], region))
        if results["joints"] is not None:
            agnostic.mark_joints(channels[3:], results["joints"], radius)
        return channels


class TargetTransform(BaseTransform):
    """A step that makes what losses and metrics compare with. `TryOn`, which knows no truth, leaves it out.

    `parsing` is the key of the parsing map in the results.
    """

    def __init__(self, parsing: str = "parsing") -> None:
        self.parsing = parsing

    def check(self, label_space: str, garment_classes: Sequence[str] | None) -> None:
        """Raises `UserError` unless maps of this label space can be used; called when a data set is built."""


@TRANSFORMS.register_module()
class GarmentTargets(TargetTransform):
    """The garment that the person wears: `inputs["parse_cloth"]`, GMM's target, and `inputs["parse_cloth_mask"]`.

    On white, float32 `(3, H, W)` in [-1, 1], and its mask `(1, H, W)` of 0 and 1. It is what has a label of the data
    set's `garment_classes`, by default of the label space's upper union.
    """

    def check(self, label_space: str, garment_classes: Sequence[str] | None) -> None:
        """Raises `UserError` where the label space lacks a class of the garment."""
        garment_ids(label_space, garment_classes)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        ids = garment_ids(results[f"{self.parsing}_space"], results["garment_classes"])
        worn, inputs = agnostic.union_mask(results[self.parsing], ids), results["inputs"]
        inputs["parse_cloth"] = agnostic.on_white(inputs["image"], worn)
        inputs["parse_cloth_mask"] = worn[None].astype(np.float32)
        return results


def garment_ids(label_space: str, classes: Sequence[str] | None) -> tuple[int, ...]:
    """The ids of the garment that is tried on: of the named classes, or of the label space's upper union."""
    space = get_space(label_space)
    return space.unions.upper if classes is None else tuple(space.id_of(name) for name in classes)


@TRANSFORMS.register_module()
class AuxTarget(TargetTransform):
    """The segmentation of the person who wears the garment: `inputs["parse"]`, int64 `(H, W)`.

    Auxiliary decoders learn it; metrics and panels use it in rows without a decoder too. What the label space has no
    label for is `IGNORE_INDEX`. `inputs["target_parse"]` is the same of the truth, where the data set has one.

    Args:
        label_space: of `parse`.
        parsing: key of the parsing map in the results.

    Attributes:
        metainfo: classes, colors and name of the label space, for the data set's.

    Raises:
        UserError: there is no such label space.
    """

    optional_roles = ("target_parse",)

    def __init__(self, label_space: str, parsing: str = "parsing") -> None:
        super().__init__(parsing)
        space = get_space(label_space)
        self.label_space = label_space
        self.metainfo = {"classes": space.classes, "palette": list(space.palette), "label_space": space.name}

    def check(self, label_space: str, garment_classes: Sequence[str] | None) -> None:
        """Raises `UserError` where maps of the label space cannot be converted."""
        conversion_table(label_space, self.label_space)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds to the results; see the class."""
        inputs, files = results["inputs"], results.get("files", {})
        inputs["parse"] = _aux_table(results[f"{self.parsing}_space"], self.label_space)[results[self.parsing]]
        results["label_space"] = self.label_space
        if "target_parse" in files:
            space = results["label_spaces"]["target_parse"]
            truth = read_parse(files["target_parse"], space, results["image_size"], results["target_shape"])
            inputs["target_parse"] = _aux_table(space, self.label_space)[truth]
        return results


@lru_cache
def _aux_table(source: str, target: str) -> np.ndarray:
    """Auxiliary id by source id, int64; `IGNORE_INDEX` for a source class that the auxiliary space has no label for."""
    table = conversion_table(source, target).astype(np.int64)
    table[[get_space(source).id_of(name) for name in dropped_classes(source, target)]] = IGNORE_INDEX
    return table


@TRANSFORMS.register_module()
class PackTryOnInputs(BaseTransform):
    """Makes the item: `dict(inputs=..., data_samples=...)`, tensors and a `BaseDataElement` of metainfo.

    `meta_keys` of the results become metainfo, where they are there.
    """

    META_KEYS = (
        "person", "garment", "paired", "ori_shape", "img_shape", "label_space", "image_path", "cloth_path",
    )  # fmt: skip

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """The item; see the class."""
        metainfo = {key: results[key] for key in self.meta_keys if key in results}
        tensors = {key: torch.as_tensor(value) for key, value in results["inputs"].items()}
        return {"inputs": tensors, "data_samples": BaseDataElement(metainfo=metainfo)}


def read_theta(path: Path) -> np.ndarray:
    """Reads the offsets of the control points of a known warp: float32 `(50,)`, in x, then in y, in units of [-1, 1].

    `UserError` where the file is missing or holds anything else, such as the warp of another grid than `WARP_GRID`.
    """
    try:
        theta = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not an array of offsets ({error}): make the pairs again") from None
    if theta.shape != (2 * WARP_GRID**2,) or theta.dtype.kind != "f" or not np.abs(theta).max() <= 1:
        raise UserError(
            f"{path} has {theta.dtype} {theta.shape}, not the {2 * WARP_GRID**2} offsets in [-1, 1] of {WARP_GRID} x "
            f"{WARP_GRID} control points: make the pairs again"
        )
    return theta.astype(np.float32)
