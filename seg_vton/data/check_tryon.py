"""Checks try-on sets on disk: pairs, missing files, photos, masks, parsing maps and poses."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seg_vton.data.folders import read_marker
from seg_vton.data.paper_doll.write import DATA_SET
from seg_vton.data.report import Report, TryOnSummary
from seg_vton.errors import UserError
from seg_vton.progress import track
from seg_vton.tryon.datasets.faults import FileJudge, Person
from seg_vton.tryon.datasets.layouts import FileFinder, Layout, Pair, get_layout, read_pairs

_SPLITS = ("train", "val", "test")


def tryon_checks(
    path: Path, label_space: str | None = None, data: Mapping[str, Any] | None = None
) -> list[Callable[[], Report]]:
    """Finds the try-on sets at a path: VITON's, VITON-HD's, DressCode's (or one of its categories), the paper doll's.

    `label_space` is that of the parsing maps; when None that which the set's marker names, as ours have one, or else
    that of the layout's publication. `data`, a config's `TryOnDataset`, says layout, label space and `paired` of the
    set at the path itself. Returns a check for each set found, one a category of DressCode.
    """
    checks, data = [], data or {}
    for root, layout in [(path, get_layout(data.get("layout")))] if data else _find_sets(path):
        marked = read_marker(root).get("label_space")
        published = marked if isinstance(marked, str) else layout.published_space
        space = label_space or data.get("label_space", published)
        checks.append(_SetChecker(root, layout, space, bool(data.get("paired"))).check)
    return checks


def _find_sets(path: Path) -> Iterator[tuple[Path, Layout]]:
    """Roots and layouts of the try-on sets at a path, told by the names of folders."""
    for root in (path, *sorted(folder for folder in path.glob("*_body")), path / "dresses"):
        if (root / "label_maps").is_dir() and (root / "images").is_dir():
            yield root, get_layout("dresscode")
    folders = [path / split for split in _SPLITS if (path / split / "cloth").is_dir()]
    if not folders:
        return
    if any((folder / name).is_dir() for folder in folders for name in ("openpose_json", "openpose-json")):
        yield path, get_layout("viton_hd")
    else:
        yield path, get_layout("paper_doll" if read_marker(path).get("data_set") == DATA_SET else "viton")


class _SetChecker:
    """Walks through the pairs files of one set; every fault goes into the report, each file is looked at once."""

    def __init__(self, root: Path, layout: Layout, label_space: str, paired: bool) -> None:
        self.root, self.layout, self.judge, self.paired = root, layout, FileJudge(layout, label_space), paired
        self.errors, self.warnings = self.judge.errors, self.judge.warnings
        self.report = Report(errors=self.errors, warnings=self.warnings)
        self._persons: dict[Path, Person] = {}
        self._garments: set[Path] = set()
        self._missing: set[Path] = set()

    def check(self) -> Report:
        """Checks every `SPLIT_*.txt` of pairs in the root."""
        files = sorted(file for file in self.root.glob("*pairs*.txt") if not file.name.startswith("."))
        if not files:
            self.errors["no pairs file"].append(f"{self.root} has no train_pairs.txt or test_pairs.txt")
        for file in files:
            self.check_pairs(file)
        return self.report

    def check_pairs(self, file: Path) -> None:
        """Checks a pairs file and the files that it names."""
        split = file.name.split("_")[0].removesuffix(".txt")
        if split not in _SPLITS:
            self.warnings["pairs file not checked"].append(f"{file}: its name begins with none of {', '.join(_SPLITS)}")
            return
        try:
            pairs = read_pairs(file)
        except UserError as error:
            self.errors["broken pairs file"].append(str(error))
            return
        # The truth of a pair is for the pairs file that it belongs to.
        truth = file.name == self.layout.truth_pairs
        places = {role: place for role, place in self.layout.places.items() if truth or not role.startswith("target")}
        try:
            finder = FileFinder(self.layout.split_root(self.root, split), places, {})
        except UserError as error:
            self.errors["missing folder"].append(f"{file}: {error}")
            return
        for pair, count in Counter(pairs).items():
            where = f"{file}: {pair.person} {pair.garment}"
            if count > 1:
                self.warnings["pair twice"] += [where] * (count - 1)
            if split == "train" and not (self.paired or self.layout.paired(pair)):
                self.warnings["another's garment in a training pair"] += [where] * count
        photos = [self._photo(finder, pair) for pair in track(pairs, f"{file.name}: files", total=len(pairs))]
        people = [self._persons[photo] for photo in dict.fromkeys(photos) if photo]
        self.report.tryon.append(self._summary(file, pairs, people))

    def _photo(self, finder: FileFinder, pair: Pair) -> Path | None:
        """The person's photo of a pair, if it is there; judges the pair's files that no pair had before."""
        paths: dict[str, Path] = {}
        for role in finder.places:
            path, there = finder.find(role, pair)
            if there:
                paths[role] = path
            elif path not in self._missing:
                self._missing.add(path)
                self.errors[f"missing {role}"].append(str(path))
        if "image" in paths and paths["image"] not in self._persons:
            self._persons[paths["image"]] = self.judge.person(paths["image"], paths.get("parse"), paths.get("pose"))
        if "cloth" in paths and paths["cloth"] not in self._garments:
            self._garments.add(paths["cloth"])
            self.judge.garment(paths["cloth"], paths.get("cloth_mask"))
        if "target" in paths:
            self.judge.person(paths["target"], paths.get("target_parse"), None)
        return paths.get("image")

    def _summary(self, file: Path, pairs: list[Pair], people: list[Person]) -> TryOnSummary:
        """Counts of a pairs file."""
        return TryOnSummary(
            name=file.name if self.layout.split_folders else f"{self.root.name}/{file.name}",
            layout=self.layout.name,
            label_space=self.judge.space.name,
            pairs=len(pairs),
            paired=sum(map(self.layout.paired, pairs)),
            persons=len({pair.person for pair in pairs}),
            garments=len({pair.garment for pair in pairs}),
            without_people=sum(not person.has_people for person in people),
            sizes=Counter(person.size for person in people if person.size),
            maps=Counter(name for person in people for name in person.classes),
        )
