"""The demo's report: curves, tables, panels, try-ons and timings of its work dir in one HTML file."""

import base64
import io
import json
import os
import shlex
import tempfile
from collections.abc import Callable
from contextlib import suppress
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from seg_vton import machine
from seg_vton.analysis.curves import draw_curves
from seg_vton.analysis.results import read_runs
from seg_vton.analysis.tables import class_tables, row_table
from seg_vton.engine.model_folder import read_parts
from seg_vton.errors import UserError
from seg_vton.files import opened_image, refuse_existing, write_text
from seg_vton.parsing.jobs import read_records
from seg_vton.pictures.drawing import grid

_AP = [f"{kind} {name}" for kind in ("bbox", "segm") for name in ("AP", "AP50", "AP75")]
_TRYON = ["SSIM", "PSNR", "mIoU", "warped-mask IoU", "warped-garment L1"]
_CELL = (192, 256)  # width and height of the pictures in a grid
_VERSIONS = (
    *("torch", "torchvision", "numpy", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection"),
    *("mmengine", "mmcv", "mmcv-lite", "mmdet"),
)


class Section:
    """A part of the report with a title and a text; `command` makes the things that are missing."""

    def __init__(self, title: str, text: str, command: str = "make demo") -> None:
        self.title, self.command = title, command
        self.html = [f"<p>{escape(text)}</p>"]

    def attempt(self, show: Callable[..., None], *arguments: Any) -> None:
        """Lets `show` add to this section; where a file is missing or broken, the section says so instead."""
        try:
            show(self, *arguments)
        except UserError as error:
            message, command = escape(str(error).rstrip(".")), escape(self.command)
            self.html.append(f'<p class="missing">Missing: {message}. <code>{command}</code> makes it.</p>')

    def table(self, caption: str, frame: pd.DataFrame) -> None:
        """Adds a table of texts."""
        table = frame.to_html(index=False, border=0, justify="left")
        self.html.append(f'<p class="caption">{escape(caption)}</p><div class="scroll">{table}</div>')

    def picture(self, image: Image.Image, caption: str, width: int = 1000) -> None:
        """Adds a picture as a JPEG inside the page, at most `width` pixels wide."""
        image = image.convert("RGB")
        image.thumbnail((width, 100 * width), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=85)
        data = base64.b64encode(stream.getvalue()).decode()
        source = f'<img src="data:image/jpeg;base64,{data}" width="{image.width}" height="{image.height}" alt="">'
        self.html.append(f"<figure>{source}<figcaption>{escape(caption)}</figcaption></figure>")


def write_report(work_dir: str | Path, out: str | Path, overwrite: bool = False) -> None:
    """Writes the report of a demo's work dir as HTML.

    `work_dir` has `segmenter`, `panels`, `parsing`, `gmm`, `tom`, `try-on`, `models` and `timings.jsonl`, as far as the
    demo has come. `UserError` where it is no folder, or `out` exists or cannot be written.
    """
    work_dir, out = Path(work_dir), Path(out)
    if not work_dir.is_dir():
        raise UserError(f"{work_dir} is not a folder: give the work dir of the demo, which `make demo` writes")
    refuse_existing(out, overwrite)
    sections = [_segmentation(work_dir), *_try_on_sections(work_dir), _run(work_dir)]
    links = "".join(f'<a href="#{i}">{escape(section.title)}</a>' for i, section in enumerate(sections))
    parts = [
        f'<h2 id="{i}">{escape(section.title)}</h2>\n' + "\n".join(section.html) for i, section in enumerate(sections)
    ]
    lead = (
        "Paper dolls are drawn. The package's segmenter of photos learns to segment them. Its parsing maps of "
        "other dolls train a GMM, which warps garments, and TOM, which puts them on. Last, unseen dolls try on unseen "
        "garments."
    )
    body = "\n".join([f"<nav>{links}</nav>", *parts])
    write_text(out, page("seg-vton: from drawn dolls to try-on", lead, body), overwrite)


def page(title: str, lead: str, body: str) -> str:
    """An HTML page in the report's style: plain texts as title and first paragraph, HTML as body."""
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), lead=escape(lead), body=body)


def _segmentation(work_dir: Path) -> Section:
    section = Section(
        "Segmentation",
        "The package's Mask R-CNN, which finds 15 classes of clothing and body parts in photos, trained for one "
        "more epoch on dolls. AP is COCO's, of 0 to 1, on dolls that were not trained on.",
        "make demo-segmentation",
    )
    section.attempt(_add_numbers, work_dir / "segmenter", "segmentation", _AP)
    section.attempt(_add_curves, work_dir / "segmenter")
    section.attempt(_add_pictures, work_dir / "panels", "Held-out dolls, the truth, and what was found")
    return section


def _try_on_sections(work_dir: Path) -> list[Section]:
    parsing = Section("Parsing maps", "The segmenter's masks, merged to a label for every pixel.")
    parsing.attempt(_add_maps, work_dir / "parsing" / "test")
    gmm = Section(
        "Garments warped: GMM",
        "A thin-plate spline bends the garment to the person. An auxiliary decoder predicts the person's segmentation "
        "wearing it.",
    )
    tom = Section(
        "Garments put on: TOM",
        "TOM renders the person and a mask that composes the warped garment into it. Paired: persons get the garment "
        "they wear. Unpaired: they get another's, and the drawn truth of that is known too.",
    )
    for section, folder, splits in ((gmm, "gmm", ["test"]), (tom, "tom", ["test", "test-unpaired"])):
        section.attempt(_add_numbers, work_dir / folder, "tryon", _TRYON)
        section.attempt(_add_curves, work_dir / folder)
        for split in splits:
            section.attempt(_add_pictures, work_dir / folder / split / "panels", f"{split} dolls")
    try_on = Section(
        "Try-on of unseen garments",
        "tools/try_on.py from photos and joints. The segmenter makes the person's parsing map.",
    )
    try_on.attempt(_add_try_ons, work_dir / "try-on")
    use = Section(
        "The models in one folder",
        "tools/export.py has put the three models into a folder that loads without running code from it, with a card "
        "that says what they are. These commands use it, as do ClothingParser.load and TryOn.load in Python.",
    )
    use.attempt(_add_commands, work_dir)
    return [parsing, gmm, tom, try_on, use]


def _add_numbers(section: Section, folder: Path, task: str, metrics: list[str]) -> None:
    runs = read_runs([folder])
    runs = runs[runs["task"] == task]
    shown = [name for name in metrics if name in runs and runs[name].notna().any()]
    for _, rows in runs.groupby(["split"]):
        split, images = rows[["split", "images"]].iloc[0]
        section.table(f"{split}, {images} images", row_table(rows, metrics=shown))
    for name, frame in class_tables(runs):
        section.table(name, frame)
    if notes := {key: why for run in runs["content"] for key, why in run.get("not_reported", {}).items()}:
        section.table("Not reported", pd.DataFrame(list(notes.items()), columns=["metric", "why"]))


def _add_curves(section: Section, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        draw_curves([folder], file := Path(scratch) / "curves.png")
        section.picture(_open(file), "Losses during training, as logged (pale) and smoothed.", 1100)


def _add_pictures(section: Section, folder: Path, caption: str) -> None:
    """Adds the first two pictures of a folder."""
    found = sorted(folder.glob("*.png"))[:2]
    if not found:
        raise UserError(f"there are no panels in {folder}")
    for path in found:
        section.picture(_open(path), f"{caption}: {path.stem}")


def _open(path: Path) -> Image.Image:
    with opened_image(path) as image:
        return image.convert("RGB")


def _cell(path: Path) -> np.ndarray:
    """A picture of `_CELL`, padded with white."""
    return np.asarray(ImageOps.pad(_open(path), _CELL, color="white"))


def _add_maps(section: Section, folder: Path) -> None:
    records = read_records(folder)
    names = [name for name, record in records.items() if "label-map" in record["files"]][:6]
    if not names:
        raise UserError(f"there are no parsing maps in {folder}")
    rows: list[list[tuple[str, np.ndarray]]] = [[], [], []]
    for name in names:
        photo = folder / records[name]["photo"]
        truth = photo.parents[1] / "image-parse" / f"{photo.stem}.png"
        predicted = folder / records[name]["files"]["label-map"]
        for row, title, path in zip(rows, (name, "predicted", "truth"), (photo, predicted, truth), strict=True):
            row.append((title, _cell(path)))
    caption = f"Unseen dolls, their predicted maps and the true ones. {len(records)} test dolls were parsed."
    section.picture(Image.fromarray(grid(rows)), caption, 1400)


def _add_try_ons(section: Section, folder: Path) -> None:
    records = read_records(folder, "garment")
    if not records:
        raise UserError(f"there are no try-ons in {folder}")
    persons, garments = (
        {record[role]["name"]: folder / record[role]["path"] for record in records.values()}
        for role in ("person", "garment")
    )
    made = {
        (record["person"]["name"], record["garment"]["name"]): folder / record["files"]["try-on"]
        for record in records.values()
        if not record["pending"]
    }
    blank = np.full((_CELL[1], _CELL[0], 3), 232, np.uint8)
    rows = [[("", np.full_like(blank, 255)), *((name, _cell(path)) for name, path in garments.items())]]
    for person, photo in persons.items():
        found = (made.get((person, garment)) for garment in garments)
        cells = (("not made", blank) if path is None else ("", _cell(path)) for path in found)
        rows.append([(person, _cell(photo)), *cells])
    caption = "Persons on the left, garments at the top. None was trained on."
    section.picture(Image.fromarray(grid(rows)), caption, 1400)


def _add_commands(section: Section, work_dir: Path) -> None:
    models = work_dir / "models"
    read_parts(models)
    record = next(iter(read_records(work_dir / "try-on", "garment").values()), None)
    if record is None:
        raise UserError(f"there are no try-ons in {work_dir / 'try-on'}")
    person, garment = (os.path.relpath(work_dir / "try-on" / record[role]["path"]) for role in ("person", "garment"))
    folder = Path(person).parent
    photos = ["--models", models, "--person", person, "--garment", garment, "--pose", folder.parent / "pose"]
    for command in (
        ["tools/parse.py", "--models", models, folder, "--write", "overlay", "--out", work_dir / "parsed"],
        ["tools/try_on.py", *photos, "--out", work_dir / "dressed"],
        ["tools/data/prepare_viton_hd.py", *photos, "--size", "256x192", "--out", work_dir / "viton-hd"],
    ):
        section.html.append(f"<p><code>python {escape(shlex.join(map(str, command)))}</code></p>")


def _run(work_dir: Path) -> Section:
    section = Section("How it was made", "The time of every step, the tested checkpoints, the machine and versions.")
    section.attempt(_add_timings, work_dir / "timings.jsonl")
    section.attempt(_add_sources, work_dir)
    facts = {key: str(value) for key, value in machine.describe().items() if value is not None}
    for name in _VERSIONS:
        with suppress(PackageNotFoundError):  # of a fork and its origin one is there
            facts[name] = version(name)
    section.table("Machine and versions", pd.DataFrame(list(facts.items()), columns=["what", "which"]))
    return section


def read_timings(path: Path) -> dict[str, list[float]]:
    """Seconds of every run of every step, in the order in which the steps came first, as tools/timed.py wrote them."""
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
    rows = [(step, str(len(seconds)), sum(seconds)) for step, seconds in read_timings(path).items()]
    rows.append(("all", "", sum(seconds for *_, seconds in rows)))
    rows = [(*what, "{}:{:02d}".format(*divmod(round(seconds), 60))) for *what, seconds in rows]
    section.table("Time of every step, minutes:seconds", pd.DataFrame(rows, columns=["step", "runs", "time"]))


def _add_sources(section: Section, work_dir: Path) -> None:
    columns = ["config", "config_sha256", "checkpoint", "checkpoint_sha256", "date"]
    frame = pd.DataFrame([
        {name: str(run[name])[: 12 if name.endswith("sha256") else None] for name in columns}
        | {name: run["training"].get(name) for name in ("seed", "iterations")}
        | {"s / iteration": run["training"].get("seconds_per_iteration")}
        for run in read_runs([work_dir])["content"]
    ], dtype=object)  # fmt: skip
    frame = frame.where(frame.notna(), "-").map(lambda fact: f"{fact:.3f}" if isinstance(fact, float) else str(fact))
    section.table("Tested checkpoints", frame)
