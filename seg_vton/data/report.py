"""What a check of data on disk found, and how it is printed."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from seg_vton.coco import Findings
from seg_vton.data.coco_files import Summary, print_summaries, size_range
from seg_vton.labels import get_space
from seg_vton.tryon.datasets.faults import MASK

_EXAMPLES = 10


@dataclass
class TryOnSummary:
    """What one pairs file of a try-on set holds."""

    name: str  # the pairs file; for DressCode with the folder of its category
    layout: str  # of the set
    label_space: str  # that the parsing maps were read in
    pairs: int  # number of lines
    paired: int  # number of lines whose garment is the person's own, by the file names
    persons: int  # number of persons
    garments: int  # number of garments
    without_people: int  # number of persons whose pose file has no people
    sizes: Counter[tuple[int, int]]  # number of photos of persons by (width, height)
    maps: Counter[str]  # number of parsing maps with a class, by its name


@dataclass
class Report(Findings):
    """What a check found. Its `errors` make the data unfit for training; with `warnings` it can be trained on."""

    summaries: list[Summary] = field(default_factory=list)  # counts of each COCO file
    tryon: list[TryOnSummary] = field(default_factory=list)  # counts of each pairs file

    def merge(self, other: Findings) -> None:
        """Adds what another check found; a COCO file's faults are errors here."""
        pairs = ((self.errors, other.faults), (self.errors, other.errors), (self.warnings, other.warnings))
        for mine, theirs in pairs:
            for kind, messages in theirs.items():
                mine[kind] += messages
        if isinstance(other, Report):
            self.summaries += other.summaries
            self.tryon += other.tryon


def print_report(report: Report, console: Console | None = None) -> None:
    """Prints counts per split and class, then each kind of fault with its count and first examples."""
    console = console or Console()
    if report.summaries:
        print_summaries(report.summaries, console)
    for kind in dict.fromkeys((summary.layout, summary.label_space) for summary in report.tryon):
        _print_tryon([s for s in report.tryon if (s.layout, s.label_space) == kind], console)
    for level, found in (("error", report.errors), ("warning", report.warnings)):
        for kind, messages in found.items():
            shown = messages if kind == MASK else messages[:_EXAMPLES]  # masks must be looked at one by one
            lines = [f"{level}: {kind} ({len(messages)})", *(f"  {message}" for message in shown)]
            lines += ["  ..."] if len(messages) > len(shown) else []
            console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    if not report.errors:
        console.print("no errors")


def _print_tryon(summaries: list[TryOnSummary], console: Console) -> None:
    """Prints counts of pairs files, a column each; all are of one layout and one label space."""
    space = get_space(summaries[0].label_space)
    table = Table(title=f"{summaries[0].layout}: pairs, and parsing maps with each label of {space.name}")
    table.add_column("")
    for summary in summaries:
        table.add_column(summary.name, justify="right", overflow="fold")
    for key in ("pairs", "paired", "persons", "garments", "without_people"):
        table.add_row(key.replace("_", " "), *(str(getattr(s, key)) for s in summaries))
    table.add_row("photo sizes", *(size_range(s.sizes) for s in summaries))
    table.add_section()
    for class_name in space.classes[1:]:
        table.add_row(class_name, *(str(s.maps[class_name]) for s in summaries))
    console.print(table)
