"""The try-on data set: finds the files of persons and garments; the steps of its pipeline make tensors of them."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import Compose
from mmengine.logging import print_log

from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.files import shared_files
from seg_vton.pose.keypoints import read_people
from seg_vton.registry import DATASETS, TRANSFORMS
from seg_vton.tryon.datasets import predicted
from seg_vton.tryon.datasets.faults import MASK, FileJudge
from seg_vton.tryon.datasets.layouts import COMMON, FileFinder, Pair, get_layout, read_pairs
from seg_vton.tryon.datasets.transforms import LoadParsing, TargetTransform

TRUTH = ("target", "target_parse")
"""Roles of the truth of an unpaired set: the person in the pair's garment."""

LOOKED_AT = 100
"""Number of pairs whose files are looked at when a data set is built; `tools/data/check.py` looks at all."""

_EXAMPLES = 10
_NAMED = 3


def build_pipeline(steps: Sequence[Mapping[str, Any] | Callable]) -> Compose:
    """Builds steps by their names in the try-on half, whatever the process's default scope is."""
    return Compose([step if callable(step) else TRANSFORMS.build({"_scope_": "seg_vton", **step}) for step in steps])


def _name(file: str) -> str:
    """Of a person or garment, in results: the file's without suffix, with the folders that it is in."""
    return Path(file).with_suffix("").as_posix().replace("/", "--")


@DATASETS.register_module()
class TryOnDataset(SeededSamples):
    """Pairs of a person and a garment in one of the layouts of `seg_vton.tryon.datasets.layouts`.

    What can be known before training is looked at when the data set is built: pairs, folders, missing files, all poses,
    and of `LOOKED_AT` pairs, spread over the list, photos' headers, parsing maps, poses and masks; see `FileJudge`. An
    item is `dict(inputs=..., data_samples=...)`; mmengine's `default_collate` makes batches of it.

    `inputs` of the pipeline in `configs/_base_/datasets/tryon.py`, float32 unless said, RGB, images in [-1, 1],
    `H, W = image_size`:

    | key                               | shape         | what                                                    |
    |-----------------------------------|---------------|---------------------------------------------------------|
    | `agnostic`                        | (22, H, W)    | body shape 1, head 3, pose 18: `CPVTONAgnostic`         |
    | `cloth`, `cloth_mask`             | (3 / 1, H, W) | the in-shop garment, its mask of 0 and 1                |
    | `image`                           | (3, H, W)     | the person                                              |
    | `parse_cloth`, `parse_cloth_mask` | (3 / 1, H, W) | the garment they wear on white: GMM's target; its mask  |
    | `parse`                           | (H, W) int64  | ids of `AuxTarget`'s space, 255 where it has no label   |
    | `warped_cloth`, `warped_mask`     | (3 / 1, H, W) | exported warps, where `folders` names them              |
    | `theta`                           | (50,)         | the warp that GMM is to find, where `folders` names it  |
    | `target`, `target_parse`          | as `image`, `parse` | truth of the try-on, in the paper doll's unpaired set |

    `data_samples` has metainfo only: `person` and `garment` (file names without suffix), `paired`, `ori_shape` (height
    and width of the person's file), `img_shape`, `label_space` (of `parse`), `image_path`, `cloth_path`.

    Args:
        data_root: root of the data set; of a category for `dresscode`.
        pairs: pairs file, relative to the root.
        layout: name of a layout.
        label_space: of the parsing maps on disk. No default: nothing in a map says what its ids mean.
        split: folder of the split, `train` or `test`.
        pipeline: the steps, see `seg_vton.tryon.datasets.transforms`. The files of their `roles` are found, and those
            of their `optional_roles` where `folders` names them or they are of the truth of these very pairs. Where
            targets come from a segmenter's maps, pairs whose map lacks an upper garment or a head are left out, with
            the counts in the log.
        image_size: (height, width) of all tensors. What is not of this size is resized: photos as the data set's
            published code does it, label maps and masks by nearest, keypoints scaled.
        own_garments: give each person the garment they wear, once, whatever the pairs file says. Neither VITON nor
            VITON-HD has a paired list of its test set.
        paired: whether each line of the pairs file is of a person and the garment they wear, so that the photo is the
            truth; None for what the names say, see `Layout.garment_ending`.
        garment_classes: classes of the garment that is tried on, in place of the label space's upper union; for
            DressCode's `lower_body`, `("pants", "skirt")`.
        folders: other folders by role, of the split or paths: `dict(parse="image-parse-new")` for CP-VTON+'s maps,
            which are in `lip21`, `dict(predicted_parse="OUT")` for what `tools/parse.py` wrote to `OUT`,
            `dict(warped_cloth="warp-cloth", warped_mask="warp-mask")` for exported warps, `dict(theta="warp")` for the
            known warps of pairs that are made from photos.

    Attributes:
        pairs: the pairs.
        files: paths by role for each pair.
        left_out: number of pairs left out by reason.
        metainfo: what the steps say (`AuxTarget`: `classes`, `palette` and `label_space`); where there are maps of a
            segmenter `records`, with their record under `predicted_parse`.

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
        pipeline: Sequence[Mapping[str, Any] | Callable],
        image_size: Sequence[int] = (256, 192),
        own_garments: bool = False,
        paired: bool | None = None,
        garment_classes: Sequence[str] | None = None,
        folders: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        if len(image_size) != 2 or not all(isinstance(side, int) and side >= 16 for side in image_size):
            raise UserError(
                f"image_size is {image_size}: it must be (height, width), whole numbers from 16, such as (256, 192)"
            )
        self.image_size: tuple[int, int] = tuple(image_size)
        self.layout, self.garment_classes = get_layout(layout), garment_classes
        if self.layout.several_garments and garment_classes is None:
            raise UserError(
                f"data sets of the layout {layout} have upper or lower garments: name the classes of this one, for "
                "example garment_classes=('upper-clothes', 'dress') or ('pants', 'skirt')"
            )
        self.paired, self.pipeline = paired, build_pipeline(pipeline)
        self.data_root, self.pairs_file = Path(data_root), Path(data_root) / pairs
        self.pairs = read_pairs(self.pairs_file)
        if own_garments:
            persons = dict.fromkeys(pair.person for pair in self.pairs)  # an unpaired list may repeat them
            self.pairs = [Pair(person, self.layout.own_garment(person)) for person in persons]
        self.left_out: Counter[str] = Counter()
        self.metainfo: dict[str, Any] = {}
        for step in self.pipeline.transforms:
            self.metainfo |= getattr(step, "metainfo", {})
        self.files = self._find_files(self.layout.split_root(data_root, split), dict(folders or {}))
        self.label_spaces = dict.fromkeys(self.files[0], label_space)
        if predicted.ROLE in self._roles():
            self._find_predicted(self.layout.split_root(data_root, split), (folders or {}).get(predicted.ROLE))
        spaces = {step.key: step.label_space or self.label_spaces[step.role] for step in self._steps(LoadParsing)}
        for step in self._steps(TargetTransform):
            step.check(spaces[step.parsing], garment_classes)
        others = sum(not self.is_paired(pair) for pair in self.pairs)
        effect = "training treats it as what they wear" if split == "train" else "no metric has a truth to compare with"
        without_truth = others == len(self.pairs) and "target" not in self.files[0]
        if paired is None and (without_truth or (others and split == "train")):
            print_log(
                f"{self.pairs_file}: by their names, {others} of {len(self.pairs)} persons do not wear the garment of "
                f"their line; {effect}. If they all do, set paired=True in the data set",
                logger="current",
                level=logging.WARNING,
            )
        self._look_at_files()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def is_paired(self, pair: Pair) -> bool:
        """Whether the person of a pair wears its garment: by `paired`, or else by their names."""
        return self.layout.paired(pair) if self.paired is None else self.paired

    def sample_file(self, index: int) -> str:
        """The person's photo."""
        return str(self.files[index]["image"])

    def load_sample(self, index: int) -> dict[str, Any]:
        """The item of a pair; see the class."""
        pair, files = self.pairs[index], self.files[index]
        results = {
            "files": dict(files),
            "image_size": self.image_size,
            "layout": self.layout,
            "label_spaces": self.label_spaces,
            "garment_classes": self.garment_classes,
            "person": _name(pair.person),
            "garment": _name(pair.garment),
            "paired": self.is_paired(pair),
            "img_shape": self.image_size,
            "image_path": str(files["image"]),
            "cloth_path": str(files["cloth"]),
            "inputs": {},
        }
        return self.pipeline(results)

    def _steps(self, kind: type) -> list[Any]:
        return [step for step in self.pipeline.transforms if isinstance(step, kind)]

    def _roles(self, attribute: str = "roles") -> list[str]:
        """Roles of the files that the steps read."""
        roles = [role for step in self.pipeline.transforms for role in getattr(step, attribute, ())]
        return list(dict.fromkeys(roles))

    def _find_files(self, split_root: Path, folders: dict[str, str]) -> list[dict[str, Path]]:
        """Paths by role for each pair, all but those of predicted maps."""
        known = {**self.layout.places, **COMMON}
        unknown = [role for role in folders if role not in known and role != predicted.ROLE]
        if unknown:
            raise UserError(f"folders has {', '.join(unknown)}; known: {', '.join([*known, predicted.ROLE])}")
        named, truth = set(folders), self.layout.truth_pairs
        if truth and not all(map(self.is_paired, self.pairs)):
            named |= set(TRUTH) if set(self.pairs) <= set(read_pairs(self.data_root / truth)) else set()
        roles = ["image", "cloth", *self._roles(), *(role for role in self._roles("optional_roles") if role in named)]
        strange = [role for role in roles if role not in known and role != predicted.ROLE]
        if strange:
            raise UserError(
                f"the pipeline reads {', '.join(strange)}, for which layout {self.layout.name} has no place; it has "
                f"{', '.join(known)}. Name a layout of your own (seg_vton.tryon.datasets.layouts.register_layout)"
            )
        places = {role: known[role] for role in roles if role != predicted.ROLE}
        finder = FileFinder(split_root, places, folders)
        found = [{role: finder.find(role, pair) for role in places} for pair in self.pairs]
        missing = list(dict.fromkeys(path for roles in found for path, there in roles.values() if not there))
        if missing:
            lines = [f"missing: {len(missing)} of the files that {self.pairs_file} asks for:"]
            lines += [f"  {path}" for path in missing[:_EXAMPLES]] + ["  ..."] * (len(missing) > _EXAMPLES)
            raise UserError("\n".join([*lines, "Put them there, or remove their lines from the pairs file"]))
        files = [{role: path for role, (path, _) in roles.items()} for roles in found]
        for owner, role in (("image", "parse"), ("image", "pose"), ("cloth", "cloth_mask")):
            for message in shared_files({each[owner]: each.get(role) for each in files}).values():
                raise UserError(message)
        return files

    def _find_predicted(self, split_root: Path, folder: str | None) -> None:
        """Finds a segmenter's maps, and leaves out pairs that they make useless."""
        folders = [split_root / predicted.FOLDER] if folder is None else [split_root / folder, Path(folder)]
        maps, record = predicted.find_predicted(folders, [files["image"] for files in self.files])
        loaders = [step for step in self._steps(LoadParsing) if step.role == predicted.ROLE]
        for wanted in (step.record for step in loaders):
            differs = [
                f"{key} is {record.get(key)!r}, not {wanted[key]!r}" for key in wanted if record.get(key) != wanted[key]
            ]
            if differs:
                raise UserError(
                    f"the maps in {next(iter(maps.values())).parent} are not those of the record that the pipeline "
                    f"names: {'; '.join(differs)}. Write them with that segmenter, or name theirs"
                )
        self.metainfo["records"] = {predicted.ROLE: record}
        self.label_spaces[predicted.ROLE] = record["label_space"]
        for files in self.files:
            files[predicted.ROLE] = maps[files["image"]]
        if not {step.key for step in loaders} & {step.parsing for step in self._steps(TargetTransform)}:
            return
        reasons = predicted.find_unusable(maps, record["label_space"], self.garment_classes)
        self.left_out.update(reasons[files["image"]] for files in self.files if files["image"] in reasons)
        kept = [i for i, files in enumerate(self.files) if files["image"] not in reasons]
        if not kept:
            raise UserError(
                f"no pair of {self.pairs_file} is left to train on: {dict(self.left_out)} ({next(iter(maps.values()))})"
            )
        self.pairs, self.files = [self.pairs[i] for i in kept], [self.files[i] for i in kept]

    def _look_at_files(self) -> None:
        """Reads all poses, so that a broken file shows before training, and looks at all files of some pairs."""
        for path in dict.fromkeys(files["pose"] for files in self.files if "pose" in files):
            read_people(path, self.image_size)
        loader = next(iter(self._steps(LoadParsing)), LoadParsing())
        space = loader.label_space or self.label_spaces.get(loader.role) or self.label_spaces["image"]
        height, width = self.image_size
        judge = FileJudge(self.layout, space, width / height, whole=False, garment=self.garment_classes)
        chosen = self.files[:: -(-len(self.files) // LOOKED_AT)]
        for image, files in {files["image"]: files for files in chosen}.items():
            judge.person(image, files.get(loader.role), files.get("pose"))
        for cloth, files in {files["cloth"]: files for files in chosen}.items():
            judge.garment(cloth, files.get("cloth_mask"))
        said = {**judge.warnings, MASK: judge.errors.pop(MASK, [])}
        for messages in judge.errors.values():
            raise UserError(messages[0])
        for kind, messages in said.items():
            if not messages:
                continue
            named = "; ".join(messages[:_NAMED]) + ("; ..." if len(messages) > _NAMED else "")
            print_log(
                f"{self.pairs_file}: {kind}: {len(messages)} found in {len(chosen)} pairs checked ({named}). "
                "tools/data/check.py checks all",
                logger="current",
                level=logging.WARNING,
            )
