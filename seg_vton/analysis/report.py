"""The demo's report: curves, tables, panels, try-ons and timings of its work dir in one HTML file."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image, ImageOps

from seg_vton import machine
from seg_vton.analysis.ablation import collect
from seg_vton.analysis.curves import draw_curves
from seg_vton.analysis.result_rows import Content, fraction
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing, write_text
from seg_vton.parsing.jobs import Record, read_records
from seg_vton.pictures.drawing import grid

TEMPLATE = "report.html.j2"
ALL, FIRST_HALF = "make demo", "make demo-segmentation"

_SUMMARY = (
    "Paper dolls are drawn; a CARAFE-FPN Mask R-CNN learns to segment them; its parsing maps of other dolls train a "
    "GMM, which warps garments, and TOM, which puts them on; last, unseen dolls try on unseen garments."
)
_TRYON_METRICS = ("SSIM", "PSNR", "mIoU", "warped-mask IoU", "warped-garment L1")
_TOP_WIDTH = 1400  # pixels of the widest pictures
_CELL = (192, 256)  # width and height of the try-on grid's pictures
_VERSIONS = (
    *("torch", "torchvision", "numpy", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection"),
    *("mmengine", "mmcv", "mmcv-lite", "mmdet"),
)


@dataclass(frozen=True)
class Table:
    """A table of texts; the columns in `left` are aligned to the left, numbers to the right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A picture inside the file, `uri`, with its size in pixels and a sentence about what it shows."""

    uri: str
    width: int
    height: int
    caption: str


@dataclass
class Section:
    """A part of the report; `missing` says what could not be shown, `command` what makes it."""

    title: str
    text: str
    command: str = ALL
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def attempt(self, show: Callable[..., None], *arguments: Any) -> None:
        """Lets `show` add to this section; what it lacks is said instead."""
        try:
            show(self, *arguments)
        except UserError as error:
            self.missing.append(str(error).rstrip("."))


def write_report(work_dir: str | Path, out: str | Path, overwrite: bool = False) -> None:
    """Writes the report of a demo's work dir.

    Args:
        work_dir: folder with `segmenter`, `panels`, `parsing`, `gmm`, `tom`, `try-on` and `timings.jsonl`, as far as
            the demo has come.
        out: the HTML file.
        overwrite: whether `out` may be replaced.

    Raises:
        UserError: `work_dir` is no folder, or `out` exists or cannot be written.
    """
    work_dir, out = Path(work_dir), Path(out)
    if not work_dir.is_dir():
        raise UserError(f"{work_dir} is no folder: give the work dir of the demo, which `make demo` writes")
    refuse_existing(out, overwrite)
    write_text(out, render(sections(work_dir)), overwrite)


def render(parts: Sequence[Section]) -> str:
    """The sections as HTML; every text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    template = environment.get_template(TEMPLATE)
    return template.render(title="seg-vton: from drawn dolls to try-on", summary=_SUMMARY, sections=parts)


def sections(work_dir: Path) -> list[Section]:
    """All parts of the report, each with what there is of it."""
    return [
        _segmentation(work_dir),
        _parsing(work_dir / "parsing" / "test"),
        _stage("Garments warped: GMM", work_dir / "gmm", _GMM_TEXT, {"test": _GMM_PANEL}),
        _stage("Garments put on: TOM", work_dir / "tom", _TOM_TEXT, {"test": _TOM_PANEL, "test-unpaired": _UNPAIRED}),
        _try_on(work_dir / "try-on"),
        _run(work_dir),
    ]


# ---- what there is in a work dir


def inline(image: Image.Image, caption: str, width: int = _TOP_WIDTH) -> Picture:
    """A picture as a JPEG inside the file, at most `width` pixels wide."""
    image = image.convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    text = base64.b64encode(stream.getvalue()).decode()
    return Picture(f"data:image/jpeg;base64,{text}", *image.size, caption)


def _open(path: Path) -> Image.Image:
    """A picture's pixels in RGB."""
    try:
        return Image.open(path).convert("RGB")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _curves(section: Section, work_dir: Path, caption: str) -> None:
    """Adds the losses that a training has logged."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "curves.png"
        draw_curves([work_dir], file)
        section.pictures.append(inline(_open(file), caption, 1100))


def _first_panels(section: Section, folder: Path, caption: str, count: int = 2) -> None:
    """Adds the first of the panels that a test has written."""
    found = sorted(folder.glob("*.png"))[:count]
    if not found:
        raise UserError(f"there are no panels in {folder}")
    section.pictures += [inline(_open(path), f"{path.stem}: {caption}", 1000) for path in found]


# ---- segmentation

_AP = ("AP", "AP50", "AP75")
_KINDS = {"bbox": "boxes", "segm": "masks"}


def _segmentation(work_dir: Path) -> Section:
    section = Section(
        "Segmentation",
        "Mask R-CNN with a CARAFE-FPN neck, trained from scratch to find 15 classes of clothing and body parts. AP is "
        "COCO's, of 0 to 1, on dolls that were not trained on.",
        FIRST_HALF,
    )
    section.attempt(_add_ap, work_dir / "segmenter")
    curves = "Losses and the box head's accuracy while the segmenter trained: as logged pale, smoothed on top."
    section.attempt(_curves, work_dir / "segmenter", curves)
    section.attempt(_add_picture, work_dir / "panels" / "panels.png", "Held-out dolls, the truth, and what was found.")
    return section


def _add_picture(section: Section, path: Path, caption: str) -> None:
    section.pictures.append(inline(_open(path), caption, 1000))


def _add_ap(section: Section, folder: Path) -> None:
    results = [result for result in collect([folder]) if result["task"] == "segmentation"]
    columns = [(kind, name) for kind in _KINDS for name in _AP]
    header = ["model", "images", *(f"{_KINDS[kind]} {name}" for kind, name in columns)]
    rows = [
        [r["config"], str(r["images"]), *(_number(r["metrics"][kind][name]) for kind, name in columns)] for r in results
    ]
    section.tables.append(Table("AP over all classes", header, rows, ("model",)))
    section.tables += [_class_table(result) for result in results]


def _class_table(result: Content) -> Table:
    columns = [(kind, name) for kind in _KINDS for name in ("AP", "AP50")]
    rows = [
        [name, str(entry["instances"]), *(_number(entry[kind][ap]) for kind, ap in columns)]
        for name, entry in result["per_class"].items()
    ]
    header = ["class", "instances", *(f"{_KINDS[kind]} {ap}" for kind, ap in columns)]
    return Table("AP by class", header, rows, ("class",))


def _number(value: float | None) -> str:
    return "-" if value is None else fraction(value)


# ---- parsing maps


def _parsing(folder: Path) -> Section:
    section = Section(
        "Parsing maps",
        "The segmenter's masks, merged to a label for every pixel: all that the try-on's training knows of a person.",
    )
    section.attempt(_add_maps, folder)
    return section


def _add_maps(section: Section, folder: Path, count: int = 6) -> None:
    records = read_records(folder)
    names = [name for name, record in records.items() if "label-map" in record["files"]][:count]
    if not names:
        raise UserError(f"there are no parsing maps in {folder}")
    rows: list[list[tuple[str, np.ndarray]]] = [[], [], []]
    for name in names:
        photo = folder / records[name]["photo"]
        truth = photo.parents[1] / "image-parse" / f"{photo.stem}.png"
        predicted = folder / records[name]["files"]["label-map"]
        for row, title, path in zip(rows, (name, "predicted", "truth"), (photo, predicted, truth), strict=True):
            row.append((title, _cell(path)))
    picture = Image.fromarray(grid(rows))
    caption = f"Unseen dolls, their predicted maps and the true ones; {len(records)} test dolls were parsed."
    section.pictures.append(inline(picture, caption))


def _cell(path: Path) -> np.ndarray:
    """A picture in the size of the grids' cells, on white where its shape is another."""
    return np.asarray(ImageOps.pad(_open(path), _CELL, color="white"))


# ---- the stages of the try-on

_GMM_TEXT = (
    "A thin-plate spline bends the garment to the person; an auxiliary decoder predicts the person's segmentation "
    "wearing it."
)
_GMM_PANEL = "what the GMM sees of a person and a garment, and the garment as it warps it."
_TOM_TEXT = (
    "TOM renders the person and a mask that composes the warped garment into it. Paired: persons get the garment they "
    "wear. Unpaired: they get another's, and the drawn truth of that is known too."
)
_TOM_PANEL = "a test person with the garment they wear, what TOM is given and what it makes."
_UNPAIRED = "a test person with another's garment."


def _stage(title: str, folder: Path, text: str, panels: dict[str, str]) -> Section:
    section = Section(title, text)
    section.attempt(_add_tryon_metrics, folder)
    section.attempt(_curves, folder, "Losses while it trained: as logged pale, smoothed on top.")
    for name, caption in panels.items():
        section.attempt(_first_panels, folder / name / "panels", caption)
    return section


def _add_tryon_metrics(section: Section, folder: Path) -> None:
    results = [result for result in collect([folder]) if result["task"] == "tryon"]
    names = [name for name in _TRYON_METRICS if any(name in result["metrics"] for result in results)]
    rows = [
        [
            f"{result['split']}, {result['pairs']}",
            str(result["images"]),
            *(_metric(name, result["metrics"].get(name)) for name in names),
        ]
        for result in results
    ]
    section.tables.append(Table("On dolls that were not trained on", ["data", "images", *names], rows, ("data",)))
    with_classes = [result for result in results if result["per_class"]]
    if with_classes:
        section.tables.append(_iou_table(with_classes))
    notes = dict.fromkeys((name, why) for result in results for name, why in result["not_reported"].items())
    if notes:
        section.tables.append(
            Table("Not reported", ["metric", "why"], [list(note) for note in notes], ("metric", "why"))
        )


def _metric(name: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if name == "PSNR" else fraction(value)


def _iou_table(results: Sequence[Content]) -> Table:
    classes = list(dict.fromkeys(name for result in results for name in result["per_class"]))
    header = ["class", *(f"IoU, {result['split']}" for result in results)]
    rows = [[name, *(_number(r["per_class"].get(name, {}).get("IoU")) for r in results)] for name in classes]
    return Table("The auxiliary decoder's IoU by class", header, rows, ("class",))


# ---- try-on


def _try_on(folder: Path) -> Section:
    section = Section(
        "Try-on of unseen garments",
        "tools/try_on.py from photos and joints: no true parsing map is given, the segmenter makes the person's.",
    )
    section.attempt(_add_try_ons, folder)
    return section


def _add_try_ons(section: Section, folder: Path) -> None:
    records = read_records(folder, "garment")
    if not records:
        raise UserError(f"there are no try-ons in {folder}")
    persons, garments = (_photos(records.values(), folder, role) for role in ("person", "garment"))
    made = {
        (record["person"]["name"], record["garment"]["name"]): folder / record["files"]["try-on"]
        for record in records.values()
        if not record["pending"]
    }
    blank = np.full((_CELL[1], _CELL[0], 3), 232, np.uint8)
    rows = [[("", np.full_like(blank, 255)), *((name, _cell(path)) for name, path in garments.items())]]
    for person, photo in persons.items():
        row = [(person, _cell(photo))]
        for garment in garments:
            path = made.get((person, garment))
            row.append(("not made", blank) if path is None else ("", _cell(path)))
        rows.append(row)
    picture = Image.fromarray(grid(rows))
    caption = "Persons at the left, garments at the top, and every person in every garment; none was trained on."
    section.pictures.append(inline(picture, caption))


def _photos(records: Iterable[Record], folder: Path, role: str) -> dict[str, Path]:
    """The photos of persons or garments by name."""
    return {record[role]["name"]: folder / record[role]["path"] for record in records}


# ---- how it was made


def _run(work_dir: Path) -> Section:
    section = Section(
        "How it was made",
        "The time of every step, the machine and versions, and the configs and checkpoints that the numbers are of.",
    )
    section.attempt(_add_timings, work_dir / "timings.jsonl")
    section.attempt(_add_sources, work_dir)
    facts = {key: str(value) for key, value in machine.describe().items() if value is not None}
    facts |= _versions()
    section.tables.append(Table("Machine and versions", ["what", "which"], list(facts.items()), ("what", "which")))
    return section


def _versions() -> dict[str, str]:
    """Versions of the libraries that are installed."""
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of a fork and its origin one is there
            continue
    return found


def read_timings(path: Path) -> dict[str, list[float]]:
    """Seconds of every run of every step, in the order in which the steps came first.

    Args:
        path: what tools/timed.py has written.

    Raises:
        UserError: the file is missing or a line is broken.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    steps: dict[str, list[float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            note = json.loads(line)
            steps.setdefault(note["step"], []).append(float(note["seconds"]))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}, line {number}: not what tools/timed.py writes: delete the line") from None
    return steps


def _add_timings(section: Section, path: Path) -> None:
    steps = read_timings(path)
    rows = [[step, str(len(seconds)), _duration(sum(seconds))] for step, seconds in steps.items()]
    rows.append(["all", "", _duration(sum(map(sum, steps.values())))])
    section.tables.append(Table("Time of every step, minutes:seconds", ["step", "runs", "time"], rows, ("step",)))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _add_sources(section: Section, work_dir: Path) -> None:
    left = ("config", "config sha256", "checkpoint", "checkpoint sha256", "date")
    header = [*left[:-1], "seed", "iterations", "s / iteration", "date"]
    rows = [
        [
            *(result["config"], result["config_sha256"][:12], result["checkpoint"], result["checkpoint_sha256"][:12]),
            *(str(result["training"].get(key, "-")) for key in ("seed", "iterations")),
            _seconds(result["training"].get("seconds_per_iteration")),
            result["date"],
        ]
        for result in collect([work_dir])
    ]
    section.tables.append(Table("Tested checkpoints", header, rows, left))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
