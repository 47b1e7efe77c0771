"""The card of a model folder: what a user must know before using the models, with the block that hubs read."""

import re
from collections.abc import Iterator, Mapping
from string import Template
from typing import Any

import yaml

_CARD = Template("""---
$metadata---

# $title

$title, trained with seg-vton. This folder holds data only: loading it runs no code from it.

## Use

```bash
$commands
```

`DIR` is this folder. In Python: `$python`.

## Parts

$parts

$classes

## Numbers

$numbers

## Limits

$limits
""")

_LIMITS = (
    "The models know people and clothes of the kind in their training data and do worse on others: check them on your "
    "own photos.",
    "One person per photo, upright and mostly visible. Small accessories are often missed, and layers of clothes "
    "confused.",
    "Label maps say what a pixel looks like, nothing about a person. Do not judge or identify people by them.",
    "The license of the training data may restrict the use of models trained on it: see the table above.",
)
_TRYON_LIMITS = (
    "A try-on is a guess at how a garment looks on a person, not how it fits. Hands, hair and open jackets are drawn "
    "worst.",
    "Only dress people who agree to it, and say that a model made the picture.",
)


def model_card(parts: Mapping[str, Mapping[str, Any]], half: bool) -> str:
    """The card as Markdown; `parts` are those of `model.json`, `half` says whether weights are float16."""
    tries_on = "tom" in parts
    licenses = {part["data"]["license"] for part in parts.values()}
    (license_name,) = licenses if len(licenses) == 1 else ("other",)
    if license_name and not re.fullmatch(r"[\w.\-]+", license_name):
        license_name = "other"  # hubs take names of licenses and no sentences
    metadata = {
        "license": (license_name or "unknown").lower(),
        "library_name": "seg-vton",
        "pipeline_tag": "image-to-image" if tries_on else "image-segmentation",
        "datasets": sorted({part["data"]["name"] for part in parts.values() if part["data"]["name"]}),
        "tags": ["clothing", "human-parsing", "instance-segmentation", *(["virtual-try-on"] if tries_on else [])],
    }
    commands = ["python tools/parse.py --models DIR photos --out parsed"]
    if tries_on:
        commands.append("python tools/try_on.py --models DIR --person me.jpg --garment shirt.jpg --out dressed")
    rows = [
        "| part | config | trained on | license of the data | iterations | seed | code |",
        "|---|---|---|---|---|---|---|",
    ]
    numbers = []
    for name, part in parts.items():
        training, data = part["training"], part["data"]
        cells = [data["name"], data["license"] or "not stated", *map(training.get, ("iterations", "seed", "code"))]
        rows.append(
            "| " + " | ".join([name, training["config"], *(str(c if c is not None else "-") for c in cells)]) + " |"
        )
        numbers += [_numbers(name, result) for result in part["results"]]
    return _CARD.substitute(
        metadata=yaml.safe_dump(metadata, sort_keys=False),
        title="Clothing parser and virtual try-on" if tries_on else "Clothing parser",
        commands="\n".join(commands),
        python=f'{"TryOn" if tries_on else "ClothingParser"}.load("DIR")',
        parts="\n".join(rows),
        classes=f"Weights are {'float16 (vectors as trained)' if half else 'as trained'}. Classes of the segmenter: "
        + ", ".join(parts["segmenter"]["classes"])
        + ".",
        numbers="\n".join(numbers)
        or "No results were given at the export: measure the models before you rely on them.",
        limits="\n".join(f"- {limit}" for limit in (*_LIMITS, *(_TRYON_LIMITS if tries_on else ()))),
    )


def _numbers(name: str, result: Mapping[str, Any]) -> str:
    """A line with the numbers of one result."""
    where = " ".join(str(result[key]) for key in ("task", "dataset", "split") if key in result)
    said = ", ".join(f"{key} {value:.3f}" for key, value in _flat(result.get("metrics", {})))
    return f"- {name}, {where}, {result.get('images', '?')} images: {said}"


def _flat(metrics: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of metrics, which may have others below them, by their names."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key} ")
        elif isinstance(value, int | float):
            yield above + key, value
