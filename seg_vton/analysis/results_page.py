"""The page of results and the README's short tables, from the JSONs that test runs wrote.

The prose is in `results.md.j2`; every number in it is taken from the JSONs by what this module hands to the template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from seg_vton.analysis import contrast, markdown, paper, segmentation_table, sweep_table, tryon_table
from seg_vton.analysis.ablation import collect, render
from seg_vton.analysis.contrast import Measure, Step
from seg_vton.analysis.result_rows import Content, Row, fraction
from seg_vton.errors import UserError

TEMPLATE = "results.md.j2"
MARKER = "results"
SCRIPT = "tools/analysis/results.py"
FOLDERS = ("segmentation", "label-maps", "tryon", "tryon-ccp", "sweep", "demo")
PREDICTED_MAPS = "the segmenter's maps instead of the labels"
_ROW_NAME = re.compile(r"^(gmm|tom)_(cp-vton|aux-seg_gmm-cp-vton|aux-seg)_")
_PREDICTED = "mask-rcnn-parse_"
NEAREST, CARAFE, FPN = "FPN + conv P6 (nearest)", "CARAFE-FPN", "FPN"


def _average_precision(kind: str, name: str) -> Measure:
    return Measure(f"{kind} {name}", lambda run: run["metrics"].get(kind, {}).get(name), fraction)


def _metric(name: str, form: Callable[[float], str] = fraction) -> Measure:
    return Measure(name, lambda run: run["metrics"].get(name), form)


AP = [_average_precision(kind, name) for kind in ("bbox", "segm", "boundary") for name in ("AP", "AP50")]
TOM_MEASURES = [
    _metric("FID", "{:.2f}".format),
    _metric("SSIM"),
    _metric("MS-SSIM"),
    _metric("PSNR", "{:.2f}".format),
]
GMM_MEASURES = [_metric("warped-mask IoU"), _metric("warped-garment L1", "{:.4f}".format)]
Family = dict[tuple[bool | None, bool], Row]
"""Rows by whether GMM and TOM have auxiliary decoders; of GMMs alone the second is False."""
_IMPORTANT = {"bbox AP", "segm AP", "boundary AP", "SSIM", "MS-SSIM", "PSNR", "warped-mask IoU"}


class Results:
    """What the template reads: the results of each folder.

    Args:
        root: folder with the folders of results.

    Attributes:
        names: of the `FOLDERS` those that have results.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.names = [name for name in FOLDERS if any((self.root / name).glob("*.*-*.json"))]
        self._collected = {name: collect([self.root / name]) for name in self.names}

    def has(self, name: str) -> bool:
        """Whether there are results in a folder."""
        return name in self._collected

    def of(self, name: str, task: str) -> list[Content]:
        """A folder's results of a task."""
        return [result for result in self._collected.get(name, []) if result["task"] == task]

    def table(self, name: str, all_rows: bool = False) -> str:
        """The full tables of a folder, with classes and sources."""
        return render(self._collected[name], all_rows=all_rows, per_class=True).strip()

    def sweep(self, name: str) -> str:
        """The tables of the weights' sweep."""
        return sweep_table.render(self.of(name, "tryon"))

    def segmentation_families(self, name: str) -> list[dict[str, Row]]:
        """Rows by neck, of one data set and recipe each."""
        families: dict[str, dict[str, Row]] = {}
        same = ("backbone", "optimizer", "learning_rate", "epochs", "image_scale", "precision", "detector_weights")
        for row in segmentation_table.group(self.of(name, "segmentation")):
            key = [row["dataset"], row["split"], row["images"], row.facts["test_time_augmentation"]]
            family = families.setdefault(repr([*key, *(row.facts[fact] for fact in same)]), {})
            _put(family, row.facts["neck"], row)
        return list(families.values())

    def tryon_families(self, name: str, stage: str) -> list[Family]:
        """Rows of a stage by which of GMM and TOM have decoders, of one data set, recipe and source of maps each."""
        families: dict[str, Family] = {}
        for row in tryon_table.group(self.of(name, "tryon")):
            if row["stage"] == stage:
                recipe = _ROW_NAME.sub("", row["config"])
                key = [row["dataset"], row["split"], row["pairs"], row["images"], recipe, row.facts["iterations"]]
                aux = row.facts["aux"]
                decoders = (aux, False) if stage == "gmm" else (row.facts["warper_aux"], aux)
                _put(families.setdefault(repr(key), {}), decoders, row)
        return list(families.values())

    def predicted_maps(self, name: str, stage: str) -> list[Step]:
        """From a row to the one that learned from the segmenter's maps, where both were run."""
        rows: dict[tuple[Any, ...], Row] = {}
        for row in tryon_table.group(self.of(name, "tryon")):
            if row["stage"] == stage:
                _put(rows, (row["config"], row["dataset"], row["split"], row["pairs"], row["images"]), row)
        pairs = [
            (rows.get((config.replace(_PREDICTED, ""), *data)), row)
            for (config, *data), row in rows.items()
            if _PREDICTED in config
        ]
        return [Step(f"{tryon_table.name_of(row.facts)}: {PREDICTED_MAPS}", a, row) for a, row in pairs if a]


def _put(family: dict[Any, Row], key: Any, row: Row) -> None:
    """Adds a row to its family.

    Raises:
        UserError: it has a row like it, which differs in what is no step from row to row.
    """
    if key in family:
        runs = [f"{run['checkpoint']} ({_trained(run)})" for r in (family[key], row) for run in r.runs]
        raise UserError(
            f"the runs of {row['config']}, {', '.join(runs)}, are more than seeds of one row: they were trained for "
            "different lengths, or their tests' configs or conventions differ. Take those of other lengths out of the "
            "folder, or test all again with the same code and options"
        )
    family[key] = row


def _trained(run: Content) -> str:
    """Seed and length of a run's training, as far as its checkpoint knows them."""
    facts = run["training"]
    return f"seed {facts.get('seed')}, epoch {facts.get('epoch')}, iteration {facts.get('iterations')}"


# ---- what changes from row to row


def segmentation_steps(family: dict[str, Row]) -> list[Step]:
    """From FPN to CARAFE-FPN by way of the controls; the way over nearest neighbor whether it was run or not."""
    ways = [
        ("P6 by convolutions, passed down", FPN, NEAREST),
        ("CARAFE, once P6 is so", NEAREST, CARAFE),
        ("both: FPN to CARAFE-FPN", FPN, CARAFE),
        ("CARAFE in the neck alone", NEAREST, "CARAFE, neck only"),
        ("CARAFE in the mask head as well", "CARAFE, neck only", CARAFE),
        ("CARAFE in the mask head of FPN", FPN, "CARAFE, mask head only"),
    ]
    steps = [Step(name, family.get(first), family.get(second)) for name, first, second in ways]
    steps[2] = replace(steps[2], published=_published_ap50())
    return [*steps[:3], *(step for step in steps[3:] if step.first and step.second)]


def _published_ap50() -> dict[str, float]:
    """From the paper's FPN to its CARAFE-FPN of the same optimizer, rate and 2 epochs."""
    first, second = (
        next(row for row in paper.SEGMENTATION_ROWS if row.recipe == (neck, "SGD", 0.009, 2)) for neck in (FPN, CARAFE)
    )
    return {"bbox AP50": second.bbox_ap50 - first.bbox_ap50, "segm AP50": second.segm_ap50 - first.segm_ap50}


def tom_steps(family: Family) -> list[Step]:
    """Between the try-on paper's three rows, with its own differences."""
    given = {(row.gmm_aux, row.tom_aux): row for row in paper.TRYON_ROWS}
    plain, tom, both = (False, False), (False, True), (True, True)
    ways = [("decoder in TOM", plain, tom), ("decoder in GMM as well", tom, both), ("decoders in both", plain, both)]
    return [
        Step(name + _maps(family), family.get(a), family.get(b), _published(given[a], given[b])) for name, a, b in ways
    ]


def _published(first: paper.TryOnPaperRow, second: paper.TryOnPaperRow) -> dict[str, float]:
    numbers = ((row.fid, row.ssim, row.ms_ssim, row.psnr) for row in (first, second))
    names = (measure.name for measure in TOM_MEASURES)
    return {name: after - before for name, before, after in zip(names, *numbers, strict=True)}


def gmm_steps(family: Family) -> list[Step]:
    """The decoder in the GMM, by the warp alone."""
    return [Step(f"decoder in GMM{_maps(family)}", family.get((False, False)), family.get((True, False)))]


def _maps(family: Family) -> str:
    """Which parsing maps a family learned from, where they are not the labels."""
    return ", with the segmenter's maps" if any(_PREDICTED in row["config"] for row in family.values()) else ""


def _sentence(step: Step, measures: Iterable[Measure]) -> str:
    """`bbox AP -.025, segm AP -.028 (one seed, so it may be chance)`, the measures by what the seeds say of them."""
    contrasts = [step.in_(measure) for measure in measures if measure.name in _IMPORTANT]
    parts: dict[str, list[str]] = {}
    for each in contrasts:
        if each.known:
            parts.setdefault(each.verdict(), []).append(f"{each.measure.name} {each}")
    return "; ".join(f"{', '.join(texts)} ({verdict})" for verdict, texts in parts.items())


def shares(family: dict[str, Row]) -> str:
    """Sentences that answer how much of CARAFE-FPN's difference is CARAFE's and how much the convolutional P6's."""
    p6, carafe, both = segmentation_steps(family)[:3]
    if not (both.first and both.second):
        return "FPN and CARAFE-FPN have not both been run, so there is no difference to divide."
    lines = [f"- From FPN to CARAFE-FPN: {_sentence(both, AP)}."]
    if p6.second is None:
        lines.append(
            "- How much of it is CARAFE's and how much P6's cannot be said: the control row, FPN_CARAFE with nearest "
            "neighbor, has not been run."
        )
    else:
        lines.append(f"- From FPN to the control (P6 by convolutions, passed down): {_sentence(p6, AP)}.")
        lines.append(f"- From the control to CARAFE-FPN (CARAFE in neck and mask head): {_sentence(carafe, AP)}.")
    if directions := both.directions(AP):
        lines.append(f"- Beside the paper's change of AP50 on DeepFashion: {directions}.")
    return "\n".join(lines)


def gains(steps: Sequence[Step], measures: Sequence[Measure]) -> list[str]:
    """A line for each step that was run, and how it stands to the paper's where it has one."""
    lines = []
    for step in steps:
        if sentence := _sentence(step, measures):
            directions = step.directions(measures)
            paper = f" Beside the paper's change on VITON: {directions}." if directions else ""
            lines.append(f"- {step.name[0].upper()}{step.name[1:]}: {sentence}.{paper}")
    return lines


def _directions(results: Results, folder: str) -> str:
    """How the try-on paper's three changes went here, a line each."""
    families = results.tryon_families(folder, "tom")
    steps = [step for family in families if len(family) > 1 for step in tom_steps(family)]
    found = ((step.name, step.directions(TOM_MEASURES)) for step in steps)
    lines = [f"- {name}: {said}." for name, said in found if said]
    return "\n".join(["Beside the paper's changes, on VITON:", "", *lines]) if lines else ""


# ---- pages


def _known_warp(results: Results) -> str:
    """What the known warps of pairs made from photographs give the GMM, beside what its decoder gives."""
    gmms = [row for row in tryon_table.group(results.of("tryon-ccp", "tryon")) if row["stage"] == "gmm"]
    rows = {row["config"]: row for row in gmms if row["pairs"] == "paired"}
    names = ("cp-vton_l1-only_256x192_2k", "cp-vton_256x192_1k", "aux-seg_256x192_1k")
    blind, known, aux = (rows.get(f"gmm_{name}_ccp") for name in names)
    measure = GMM_MEASURES[0]
    warp, decoder = Step("", blind, known).in_(measure), Step("", known, aux).in_(measure)
    if blind is None or known is None or not (warp.known and decoder.known):
        return "- What knowing the warp gives beside the decoder cannot be said: not all of its rows have been run."
    more = "gives more" if warp.difference > max(decoder.difference, 0) else "does not give more"
    before, after = (row.number(measure.get, measure.form) for row in (blind, known))
    return (
        f"- In these runs knowing the warp {more} than the decoder. With the paper's L1 of the warped garment alone, "
        f"for {blind.facts['iterations']} iterations,\n"
        f"  the {measure.name} is {before}; with the control points' known offsets as a second target,\n"
        f"  after {known.facts['iterations']}, it is {after}: {warp} ({warp.verdict()}).\n"
        f"  The decoder gives {decoder} ({decoder.verdict()})."
    )


def _best_of_class(results: Results, folder: str, class_name: str, kind: str) -> str:
    """The greatest AP of a class among a folder's runs."""
    found = (run["per_class"][class_name][kind]["AP"] for run in results.of(folder, "segmentation"))
    return fraction(max(value for value in found if value is not None))


def _share(results: Results, folder: str, name: str) -> str:
    """A share of pixels in per cent, the least and the greatest of a folder's label maps."""
    found = sorted({f"{100 * run['metrics'][name]:.0f}" for run in results.of(folder, "parsing")}, key=int)
    return " to ".join(dict.fromkeys((found[0], found[-1]))) + " %"


def results_page(root: str | Path) -> str:
    """The page in Markdown.

    Args:
        root: folder of the results, `docs/results`.

    Raises:
        UserError: a file there is no result, see `collect`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    results = Results(root)
    names = {
        "results": results,
        "steps": {"segmentation": segmentation_steps, "tom": tom_steps, "gmm": gmm_steps},
        "measures": {"segmentation": AP, "tom": TOM_MEASURES, "gmm": GMM_MEASURES},
        "differences": contrast.table,
        "directions": partial(_directions, results),
        "shares": shares,
        "known_warp": partial(_known_warp, results),
        "best_of_class": partial(_best_of_class, results),
        "share": partial(_share, results),
    }
    return f"{markdown.mark(SCRIPT)}\n\n{environment.get_template(TEMPLATE).render(names)}"


_SHORT_AP = [_average_precision(kind, name) for kind in ("bbox", "segm") for name in ("AP", "AP50")]


def _short_table(names: Sequence[str], rows: Sequence[Row], measures: Sequence[Measure], title: str) -> str:
    """Rows by measures that a row has, with seeds."""
    measures = [measure for measure in measures if any(measure.values(row) for row in rows)]
    header = [title, *(measure.name for measure in measures), "seeds"]
    body = [
        [name, *(row.number(measure.get, measure.form) for measure in measures), row.seeds]
        for name, row in zip(names, rows, strict=True)
    ]
    return markdown.table(header, body, left=(title, "seeds"))


def readme_tables(root: str | Path) -> str:
    """The README's short tables: one of a half, on photographs."""
    results, parts = Results(root), []
    for family in results.segmentation_families("segmentation"):
        title = f"Segmentation of {_data(next(iter(family.values())))}"
        parts.append(_short_table(list(family), list(family.values()), _SHORT_AP, title))
    named = [(family, row) for family in results.tryon_families("tryon-ccp", "tom") for row in family.values()]
    if named:
        names = [tryon_table.name_of(row.facts) + _maps(family) for family, row in named]
        rows = [row for _, row in named]
        parts.append(_short_table(names, rows, [*TOM_MEASURES, GMM_MEASURES[0]], f"Try-on on {_data(rows[0])}"))
    return "\n\n".join(parts)


def _data(row: Row) -> str:
    return f"{row['dataset']} {row['split']}, {row['images']} images"


def write_pages(root: str | Path, page: str | Path, readme: str | Path) -> None:
    """Writes the page, which is made from the JSONs and the template alone, and the README's tables between markers.

    Raises:
        UserError: a result is broken, `page` is there and is none of this script's, or the README lacks the markers.
    """
    markdown.write_page(page, SCRIPT, results_page(root))
    markdown.replace_between_markers(readme, MARKER, readme_tables(root))
