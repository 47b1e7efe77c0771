"""Which split a person belongs to."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from seg_vton.errors import UserError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class SplitRule:
    """Says by a person's id whether they are trained on or tested on; never both."""

    train: Sequence[str] = ()  # ranges of numbers (`0001-0704`), ids, or patterns of ids (`studio_*`)
    test: Sequence[str] = ()  # the same. With neither, a share of the persons is drawn
    test_share: float = 0.1  # share of the persons that are tested on, in [0, 1], where no ids are given
    # regular expression that finds a person's id in a photo's name, its group 1 where it has one; None takes the whole
    # name
    person_id: str | None = None
    seed: int = 0  # of the draw

    def check(self) -> None:
        """Raises `UserError` when a part of the rule makes no sense."""
        if not 0 <= self.test_share <= 1:
            raise UserError(f"--test-share is {self.test_share}: it must be from 0 to 1")
        for text in (*self.train, *self.test):
            bounds = _range(text)
            if bounds and bounds[0] > bounds[1]:
                raise UserError(f"the range {text} is empty: write the smaller number first")
        try:
            re.compile(self.person_id or "")
        except re.error as error:
            raise UserError(f"--person-id {self.person_id!r} is not a regular expression: {error}") from None

    def person(self, name: str) -> str:
        """The person's id in a photo's name; `UserError` where the expression does not find one."""
        if self.person_id is None:
            return name
        found = re.search(self.person_id, name)
        if not found:
            raise UserError(f"--person-id {self.person_id!r} finds no id in the name {name!r}")
        return found[1] if found.re.groups else found[0]

    def split(self, person: str) -> str | None:
        """The split of a person; None where neither list has them, `UserError` where both have."""
        if not self.train and not self.test:
            drawn = zlib.crc32(f"{self.seed}:{person}".encode()) / 2**32
            return "test" if drawn < self.test_share else "train"
        inside = []
        for split, texts in zip(SPLITS, (self.train, self.test), strict=True):
            ranges = filter(None, map(_range, texts)) if person.isdecimal() else ()
            if any(fnmatchcase(person, t) for t in texts) or any(low <= int(person) <= high for low, high in ranges):
                inside.append(split)
        if len(inside) > 1:
            raise UserError(f"{person} is in --train and in --test: a person may be in one of them")
        return inside[0] if inside else None


def _range(text: str) -> tuple[int, int] | None:
    """First and last number of `A-B`; None for anything else."""
    found = re.fullmatch(r"(\d+)-(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
