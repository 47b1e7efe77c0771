"""Numbers of folders of pictures, whatever made them, by the functions that test runs use."""

import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from PIL import Image, JpegImagePlugin
from rich.table import Table
from torch import Tensor

from seg_vton import machine
from seg_vton.engine.results import SCHEMA, origin
from seg_vton.errors import UserError
from seg_vton.pictures.images import resized
from seg_vton.progress import ahead, track
from seg_vton.tryon.metrics import image_quality, networks
from seg_vton.tryon.metrics.folders import RESIZE_RULES, Method, Samples, check_picture, find_samples, read_picture

Report = dict[str, Any]

METRIC_NAMES = ("FID", "KID", "LPIPS", "SSIM", "MS-SSIM", "PSNR")
_OF_SETS = METRIC_NAMES[:2]
_JPEGS = 16  # pictures that the cost of JPEG is measured on


@dataclass(frozen=True)
class Protocol:
    """How pictures are compared."""

    unpaired: bool = False  # the persons wear others' garments: there is no truth, and FID and KID alone are computed
    # (height, width) that all pictures are resized to; None where all must be of the first photograph's size
    size: tuple[int, int] | None = None
    resize: str = "bilinear"  # a name of `RESIZE_RULES`
    ssim: str = "rgb"  # a name of `image_quality.SSIM_FORMS`
    inception: networks.InceptionFeatures | None = None  # torch-fidelity's InceptionV3 for FID and KID, or None
    lpips: networks.PerceptualDistance | None = None  # the network of LPIPS, or None

    def read(self, path: Path) -> np.ndarray:
        """A picture as it is compared: RGB uint8 `(H, W, 3)`."""
        return read_picture(path, self.size, self.resize)


def score(
    results: Sequence[Path],
    truth: Path,
    protocol: Protocol,
    pairs_file: Path | None = None,
    allow_missing: bool = False,
) -> Report:
    """Measures the pictures of methods; `find_samples` says how they are matched with photographs.

    Returns:
        `methods`, each with `metrics`, `intervals` (95 %, over the images), `not_reported`, `convention`, `per_image`
        and counts of what was left out; `differences` of the others from the first; and what is common to all.
    """
    if protocol.unpaired and protocol.inception is None:
        raise UserError(f"unpaired pictures only have FID and KID, which need --inception {networks.INCEPTION_FILE}")
    samples = find_samples(results, truth, pairs_file, protocol.unpaired, allow_missing)
    few = [method.folder for method in samples.methods if min(len(method.files), len(method.target)) < 2]
    if protocol.unpaired and few:
        raise UserError(f"{few[0]} or its photographs have a single picture: FID and KID need two or more")
    _, first = check_picture(next(iter(samples.photographs.values())), None)
    _, *formats = [
        Counter(check_picture(path, None if protocol.size else first)[0] for path in paths)
        for paths in (samples.photographs.values(), *(method.files.values() for method in samples.methods))
    ]
    rule = f"resized by Pillow's {protocol.resize} filter where of another size" if protocol.size else "none resized"
    protocol = replace(protocol, size=protocol.size or first)
    if protocol.lpips is not None and min(protocol.size) < networks.ALEXNET_LEAST_SIDE:
        raise UserError(
            f"LPIPS needs {networks.ALEXNET_LEAST_SIDE} pixels a side: pass a larger --size, or leave out --alexnet"
        )
    rows, features = _measure(samples, protocol)
    methods = [
        _summary(method, found, features, protocol, rule) | {"formats": dict(kinds)}
        for method, found, kinds in zip(samples.methods, rows, formats, strict=True)
    ]
    for method, entry in zip(samples.methods, methods, strict=True):
        if jpegs := entry["formats"].get("JPEG"):
            entry["note"] = f"{jpegs} of {entry['images']} pictures are JPEG: {_jpeg_cost(method, samples, protocol)}"
    return {
        **{"schema": SCHEMA, "task": "score", **origin(), "machine": machine.describe(), "truth": str(truth)},
        **{"pairs": "unpaired" if protocol.unpaired else "paired", "image_size": list(protocol.size)},
        **{"split_sha256": samples.split, "photographs": len(samples.photographs)},
        "methods": methods,
        "differences": [_difference(methods[0], other) for other in methods[1:]],
    }


def _measure(samples: Samples, protocol: Protocol) -> tuple[list[dict[str, dict[str, float]]], dict[Path, np.ndarray]]:
    """Reads every picture once: numbers of each method's samples, and Inception's features `(2048,)` of each file."""
    if protocol.unpaired:
        paths = [*samples.photographs.values(), *(p for method in samples.methods for p in method.files.values())]
        jobs = [("", path, []) for path in dict.fromkeys(paths)]
    else:
        found = {name: [method.files.get(name) for method in samples.methods] for name in samples.photographs}
        jobs = [(name, samples.photographs[name], each) for name, each in found.items() if any(each)]

    def work(job: tuple[str, Path, list[Path | None]]) -> tuple[Any, ...]:
        name, photograph, files = job
        pictures = {path: protocol.read(path) for path in (photograph, *files) if path is not None}
        target = pictures[photograph]
        numbers = [file and image_quality.image_numbers(pictures[file], target, protocol.ssim) for file in files]
        return name, photograph, files, pictures, numbers

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows: list[dict[str, dict[str, float]]] = [{} for _ in samples.methods]
    features: dict[Path, np.ndarray] = {}
    stream = track(ahead(work, jobs, min(8, os.cpu_count() or 1)), "score", total=len(jobs))
    while batch := list(islice(stream, 16 if device.type == "cuda" else 1)):
        for name, photograph, files, pictures, numbers in batch:
            for row, file, found in zip(rows, files, numbers, strict=False):
                if file is not None:
                    row[name] = found
                    if protocol.lpips is not None:
                        pair = (_stacked([pictures[path]], device) for path in (file, photograph))
                        found["LPIPS"] = protocol.lpips(*pair).item()
        if protocol.inception is not None:
            new = {path: picture for *_, pictures, _ in batch for path, picture in pictures.items()}
            new = {path: picture for path, picture in new.items() if path not in features}
            if new:
                features |= zip(new, protocol.inception(_stacked(list(new.values()), device)).numpy(), strict=True)
    return rows, features


def _stacked(pictures: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Pictures `(H, W, 3)` as one tensor `(B, 3, H, W)`."""
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).contiguous()


def _summary(
    method: Method,
    rows: Mapping[str, Mapping[str, float]],
    features: Mapping[Path, np.ndarray],
    protocol: Protocol,
    rule: str,
) -> Report:
    """A method's numbers with their protocol."""
    numbers = [rows.get(name, {}) for name in method.files]
    of_images = image_quality.per_image(numbers, METRIC_NAMES)
    metrics = {name: fmean(row[name] for row in numbers) for name in of_images}
    known = {**image_quality.CONVENTIONS, "SSIM": image_quality.SSIM_FORMS[protocol.ssim]}
    reasons = dict.fromkeys(METRIC_NAMES, "unpaired garments have no truth")
    if not protocol.unpaired:
        reasons = {
            "LPIPS": f"it needs --alexnet {networks.ALEXNET_FILE}",
            "MS-SSIM": image_quality.TOO_SMALL.format(*protocol.size),
            "PSNR": image_quality.INFINITE.format(sum(np.isinf(of_images["PSNR"]))),
        }
    reasons |= dict.fromkeys(_OF_SETS, f"it needs --inception {networks.INCEPTION_FILE}")
    if protocol.lpips is not None:
        known["LPIPS"] = protocol.lpips.convention
    if protocol.inception is not None:
        reasons |= dict.fromkeys(_OF_SETS, "it needs two images or more")
        sets = [np.stack([features[path] for path in paths]) for paths in (method.files.values(), method.target)]
        metrics |= networks.set_numbers(*sets)
        known |= protocol.inception.conventions(*map(len, sets))
    metrics = {name: metrics[name] for name in METRIC_NAMES if name in metrics and np.isfinite(metrics[name])}
    of_images = {name: values for name, values in of_images.items() if name in metrics}
    size = " x ".join(map(str, protocol.size))
    kind = f"unpaired, against {len(method.target)} photographs" if protocol.unpaired else "paired"
    images = f"{len(numbers)} images, {kind}; {size} pixels (height x width), {rule}; RGB of 8 bits, data range 1"
    return {
        **{"results": str(method.folder), "images": len(numbers)},
        **{"missing": len(method.missing), "unused": len(method.unused)},
        "metrics": metrics,
        "intervals": _intervals({name: np.array(values) for name, values in of_images.items()}),
        "not_reported": {name: reasons[name] for name in METRIC_NAMES if name not in metrics},
        "convention": {"images": images, **{name: known[name] for name in metrics}},
        "per_image": {"names": list(method.files), **of_images},
    }


def _intervals(columns: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    return {name: image_quality.mean_interval(values) for name, values in columns.items() if len(values) > 1}


def _difference(first: Report, second: Report) -> Report:
    """What changes from a method to another: of numbers of each image over the images that both have."""
    before, after = (
        {
            name: dict(zip(entry["per_image"]["names"], values, strict=True))
            for name, values in entry["per_image"].items()
        }
        for entry in (first, second)
    )
    common = [name for name in before["names"] if name in after["names"]]
    columns = {
        name: np.array([after[name][sample] - before[name][sample] for sample in common])
        for name in before
        if name != "names" and name in after and common
    }
    of_sets = [name for name in _OF_SETS if name in first["metrics"] and name in second["metrics"]]
    return {
        **{"from": first["results"], "to": second["results"], "images": len(common)},
        "metrics": {name: second["metrics"][name] - first["metrics"][name] for name in of_sets}
        | {name: float(values.mean()) for name, values in columns.items()},
        "intervals": _intervals(columns),
    }


def _jpeg_cost(method: Method, samples: Samples, protocol: Protocol) -> str:
    """What the format alone takes: the numbers of photographs that are saved as the method's pictures are."""
    numbers = []
    for path, photograph in zip(method.files.values(), cycle(samples.photographs.values()), strict=False):
        with Image.open(path) as picture:
            if picture.format != "JPEG" or len(numbers) == _JPEGS:
                continue
            tables, sampling = picture.quantization, JpegImagePlugin.get_sampling(picture)
            size = picture.size[::-1]
        saved = io.BytesIO()
        whole = read_picture(photograph, size, protocol.resize)
        Image.fromarray(whole).save(saved, "JPEG", qtables=tables, subsampling=max(sampling, 0))
        again = resized(np.asarray(Image.open(saved)), protocol.size, RESIZE_RULES[protocol.resize])
        numbers.append(image_quality.image_numbers(again, protocol.read(photograph), protocol.ssim))
    ssim, psnr = (fmean(each[name] for each in numbers) for name in ("SSIM", "PSNR"))
    return (
        f"the photographs themselves, saved as these are, have SSIM {ssim:.4f} and PSNR {psnr:.2f} (mean of "
        f"{len(numbers)}), and FID and KID change too. PNG loses nothing"
    )


def table(report: Report) -> Table:
    """The numbers as a table for the console: a row for each method, then one for each difference."""
    entries = [*report["methods"], *report["differences"]]
    names = [name for name in METRIC_NAMES if any(name in entry["metrics"] for entry in entries)]
    title = f"{report['pairs']}; below each mean its 95 % interval over images; split {report['split_sha256'][:12]}"
    shown = Table("", *names, title=title)
    for entry in entries:
        difference = "to" in entry
        cells = []
        for name in names:
            value, ends = entry["metrics"].get(name), entry["intervals"].get(name)
            form = f"{'+' * difference}.{5 if name == 'KID' else 4}f"
            cells.append("-" if value is None else f"{value:{form}}")
            cells[-1] += f"\n[{', '.join(f'{end:{form}}' for end in ends)}]" if ends else ""
        name = f"{entry['to']}\n- {entry['from']}" if difference else entry["results"]
        shown.add_row(name, *cells)
    return shown


def protocol_lines(report: Report) -> Iterator[str]:
    """The protocol, what is missing and why, a line each; once for all methods where it is the same."""
    methods = report["methods"]
    lines: dict[str, list[str]] = {}
    for method in methods:
        for name, text in {**method["convention"], **method["not_reported"], "note": method.get("note")}.items():
            if text:
                lines.setdefault(f"{name}: {text}", []).append(method["results"])
        if method["missing"] or method["unused"]:
            text = f"missing: {method['missing']} pictures; {method['unused']} pictures belong to no sample"
            lines.setdefault(text, []).append(method["results"])
    for line, owners in lines.items():
        yield line if len(owners) == len(methods) else f"{line} ({', '.join(owners)})"
