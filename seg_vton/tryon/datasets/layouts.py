"""Where each try-on data set keeps its files, and how a line of its pairs file names them.

| layout       | files of a split               | person, garment   | source                                |
|--------------|--------------------------------|-------------------|---------------------------------------|
| `viton`      | `ROOT/SPLIT/{image,cloth,...}` | `X_0.jpg X_1.jpg` | CP-VTON (Wang et al., ECCV 2018)      |
| `viton_hd`   | `ROOT/SPLIT/{image,cloth,...}` | `X.jpg X.jpg`     | VITON-HD (Choi et al., CVPR 2021)     |
| `dresscode`  | `ROOT/{images,label_maps,...}` | `X_0.jpg X_1.jpg` | DressCode (Morelli et al., ECCV 2022) |
| `paper_doll` | as `viton`                     | as `viton`        | `seg_vton.data.paper_doll.write`      |

The paper doll's has the truth of its unpaired set too. DressCode's ROOT is the folder of a category
(`DressCode/upper_body`); its splits share the folders and differ in their pairs files alone.

A layout of one's own is registered in a module that the config's `custom_imports` names, and configs call it by name:

>>> joints = Place(("joints",), ("{person}.json",))
>>> register_layout(Layout(name="mine", places={**get_layout("viton").places, "pose": joints}))
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from seg_vton.errors import UserError
from seg_vton.files import list_names, plain_name
from seg_vton.pictures.photos import SUFFIXES
from seg_vton.pose.keypoints import DRESSCODE_FRAME


class Pair(NamedTuple):
    """A line of a pairs file: the file names of a person's photo and of an in-shop garment's."""

    person: str
    garment: str

    def fill(self, pattern: str) -> str:
        """A file name from a pattern of `Place`."""
        person, garment = (Path(file).with_suffix("").as_posix() for file in self)
        return pattern.format(
            person_file=self.person,
            garment_file=self.garment,
            person=person,
            garment=garment,
            person_id=person.rpartition("_")[0] or person,
        )


@dataclass(frozen=True)
class Place:
    """Where the files of one role are."""

    # names of the folder in the split's; releases of a data set differ, the first that is there is meant
    folders: tuple[str, ...]
    # patterns of the file name, the first that is there is meant. `{person_file}` and `{garment_file}` are the names in
    # the pairs file, `{person}` and `{garment}` the same without suffix, `{person_id}` the person's without its `_0`
    # too
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A data set's file structure."""

    name: str  # what configs call it
    # of `image`, `cloth`, `cloth_mask`, `parse` and `pose`; `target` and `target_parse` where the layout holds the
    # truth of an unpaired set; and of any other role that a transform of one's own reads
    places: Mapping[str, Place]
    # label space of the parsing maps as the data set's authors give them out; None where it is not the layout that says
    # so
    published_space: str | None = None
    split_folders: bool = True  # whether the folders are in one named after the split
    # a person's ending and that of the garment they wear; equal names where None
    garment_ending: tuple[str, str] | None = ("_0", "_1")
    # (width, height) that keypoints are relative to; the size of the person's photo where None
    pose_frame: tuple[int, int] | None = None
    # how photos that are not of the model's size are resized in the data set's published code
    resampling: Image.Resampling = Image.Resampling.BILINEAR
    truth_pairs: str | None = None  # pairs file that the files of `target` belong to
    # whether pairs may be of lower garments too, so that a data set must say `garment_classes`
    several_garments: bool = False

    def own_garment(self, person: str) -> str:
        """File name of the garment that a person wears, as this layout names it."""
        path = Path(person)
        if self.garment_ending is None or not path.stem.endswith(self.garment_ending[0]):
            return person
        return str(path.with_stem(path.stem.removesuffix(self.garment_ending[0]) + self.garment_ending[1]))

    def paired(self, pair: Pair) -> bool:
        """Whether a pair's garment is, by its name, what the person wears; its suffix may be another."""
        own, garment = (
            Path(plain_name(name)).with_suffix("") for name in (self.own_garment(pair.person), pair.garment)
        )
        return own == garment

    def split_root(self, data_root: str | Path, split: str) -> Path:
        """The folder that holds the folders of a split."""
        return Path(data_root) / split if self.split_folders else Path(data_root)


COMMON = {
    "warped_cloth": Place(("warp-cloth",), ("{person}_{garment}.png", "{garment_file}")),
    "warped_mask": Place(("warp-mask",), ("{person}_{garment}.png", "{garment_file}")),
    "theta": Place(("warp",), ("{person}.npy",)),
}
"""Places that every layout may have: they are read where a transform asks for them.

Exported warps are under a name for the pair, or as CP-VTON's code writes them, under the garment's alone. CP-VTON+'s
code names them after the person: rename those to `PERSON_GARMENT.png`. Where persons and garments share names, as in
VITON-HD, nothing else tells the two ways apart, and they would be taken for the garments'. `theta` is the warp that GMM
is to find, where it is known: see `seg_vton.data.photo_pairs`.
"""

LAYOUTS: dict[str, Layout] = {}
"""All layouts by name, in the order of their registration."""


def register_layout(layout: Layout) -> Layout:
    """Makes a layout known by its name.

    Raises:
        ValueError: another layout has the name.
    """
    if LAYOUTS.setdefault(layout.name, layout) != layout:
        raise ValueError(f"there is another layout {layout.name!r} already: choose another name")
    return layout


def get_layout(name: str) -> Layout:
    """The layout of that name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in LAYOUTS:
        raise UserError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


_VITON = register_layout(
    Layout(
        name="viton",
        places={
            "image": Place(("image",), ("{person_file}",)),
            "cloth": Place(("cloth",), ("{garment_file}",)),
            "cloth_mask": Place(("cloth-mask",), ("{garment_file}", "{garment}.png", "{garment}.jpg")),
            "parse": Place(("image-parse",), ("{person}.png",)),
            "pose": Place(("pose",), ("{person}_keypoints.json", "{person}.json")),
        },
        published_space="lip20",
    )
)
register_layout(
    replace(
        _VITON,
        name="viton_hd",
        places={
            **_VITON.places,
            # The first release of the test set has the second names.
            "parse": Place(("image-parse-v3", "image-parse"), ("{person}.png",)),
            "pose": Place(("openpose_json", "openpose-json"), _VITON.places["pose"].names),
        },
        published_space="cihp20",
        garment_ending=None,
    )
)
register_layout(
    Layout(
        name="dresscode",
        places={
            "image": Place(("images",), ("{person_file}",)),
            "cloth": Place(("images",), ("{garment_file}",)),
            # Not in DressCode itself: LaDI-VTON (Morelli et al., ACM MM 2023) gives them out.
            "cloth_mask": Place(("masks",), ("{garment}.png", "{garment_file}")),
            "parse": Place(("label_maps",), ("{person_id}_4.png",)),
            "pose": Place(("keypoints",), ("{person_id}_2.json",)),
        },
        published_space="atr18",
        split_folders=False,
        pose_frame=DRESSCODE_FRAME,
        resampling=Image.Resampling.BICUBIC,
        several_garments=True,
    )
)
register_layout(
    replace(
        _VITON,
        name="paper_doll",
        places={
            **_VITON.places,
            "target": Place(("unpaired",), ("{person_file}",)),
            "target_parse": Place(("unpaired-parse",), ("{person}.png",)),
        },
        published_space="deepfashion15",
        truth_pairs="test_unpaired_pairs.txt",
    )
)


_QUOTED = r"\"[^\"]+\"|'[^']+'"
_FORMS = (
    r"([^\t]*\S)\s*\t\s*(\S[^\t]*)",
    # A comma may be in a name; one that divides a line stands behind a suffix or a quote.
    rf"({_QUOTED}|(?![\"'])[^,;]*\.\w+)\s*[,;]\s*({_QUOTED}|.+)",
    rf"({_QUOTED}|\S+)\s+({_QUOTED}|\S+)",
)
"""The forms of a pairs file's line, of which the first that fits is meant."""


def read_pairs(path: str | Path) -> list[Pair]:
    """Reads a pairs file: a line is the file name of a person and that of a garment.

    They stand apart by white space; names with spaces in them by a tab, a comma or a semicolon, or each in quotes.
    Backslashes become slashes. The text is UTF-8, or UTF-16 with a byte order mark.

    Raises:
        UserError: the file is missing, not text or empty, or a line has not two names; the message has its number.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        lines = content.decode("utf-16" if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: set data_root and pairs to a pairs file of the data set") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise UserError(
            f"{path} is not a text file: a pairs file has lines such as `000001_0.jpg 000001_1.jpg`"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = next(filter(None, (re.fullmatch(form, line.strip()) for form in _FORMS)), None)
        if found is None:
            raise UserError(
                f"{path}, line {number}: expected two file names, a person's and a garment's, and nothing else, found "
                f"{line!r}. Separate names with spaces by a tab or a comma, or quote each"
            )
        names = (name[1:-1] if re.fullmatch(_QUOTED, name) else name for name in found.groups())
        pairs.append(Pair(*(name.replace("\\", "/") for name in names)))
    if not pairs:
        raise UserError(f"{path} names no pair: it is empty")
    return pairs


class FileFinder:
    """Finds the files of pairs in a split's folders, each of which is listed once.

    A name that is not there as it stands may differ in Unicode's form of its accents, in its suffix's case and, where
    the pairs file has it, in its suffix.

    Args:
        split_root: the folder of the split; see `Layout.split_root`.
        places: places by role.
        folders: folders by role that replace the layout's: of the split, or paths.

    Raises:
        UserError: a folder is not there.
    """

    def __init__(self, split_root: Path, places: Mapping[str, Place], folders: Mapping[str, str]) -> None:
        self.places = places
        self.folders: dict[str, Path] = {}
        self._names: dict[Path, dict[str, str]] = {}
        for role, place in places.items():
            named = folders.get(role)
            candidates = [split_root / n for n in place.folders] if named is None else [split_root / named, Path(named)]
            found = next((folder for folder in candidates if folder.is_dir()), None)
            if found is None:
                raise UserError(
                    f"found no folder for {role}: {' or '.join(map(str, candidates))} does not exist. Is data_root the "
                    f"root of the data set, and is it of this layout? folders=dict({role}=...) names another folder"
                )
            self.folders[role] = found

    def find(self, role: str, pair: Pair) -> tuple[Path, bool]:
        """The path of a pair's file of a role, and whether it is there; the first name's where none is."""
        first = None
        for path in self._candidates(role, pair):
            first = first or path
            if path.parent not in self._names:
                self._names[path.parent] = list_names(path.parent)
            names = self._names[path.parent]
            found = names.get(path.name) or names.get(plain_name(path.name))
            if found is not None:
                return path.with_name(found), True
        return first, False

    def _candidates(self, role: str, pair: Pair) -> Iterator[Path]:
        """Where a pair's file of a role may be."""
        names = [(pattern, pair.fill(pattern)) for pattern in self.places[role].names]
        yield from (self.folders[role] / name for _, name in names)
        for _, name in names:
            if "/" in name:  # of photos in folders, as results are named, or all in one folder
                yield from (self.folders[role] / other for other in (name.replace("/", "--"), Path(name).name))
        for pattern, name in names:
            if pattern.endswith("_file}"):
                yield from (self.folders[role] / Path(name).with_suffix(suffix) for suffix in SUFFIXES)
