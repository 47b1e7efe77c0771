"""The same seed, photos and checkpoint give the same numbers and bytes."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from seg_vton.apis import ClothingParser, TryOn
from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.errors import UserError
from seg_vton.parsing.photos import find_photos, read_photo


def losses(work):
    """Loss by iteration, as it was logged."""
    (path,) = work.glob("*/vis_data/scalars.json")
    entries = map(json.loads, path.read_text().splitlines())
    return {entry["iter"]: entry["loss"] for entry in entries if "loss" in entry}


def test_the_same_seed_gives_the_same_losses_and_weights(tiny_tryon, segmenter_config, start, record, tmp_path):
    """The try-on half whatever the number of workers; the segmenter's transforms draw in each worker's own order."""
    runs = {"GMM": (tiny_tryon["gmm"], (0, 2), "iter_6.pth"), "segmenter": (segmenter_config, (2, 2), "epoch_2.pth")}
    lost = []
    for name, (config, workers, last) in runs.items():
        found = []
        for number, count in enumerate(workers):
            work = tmp_path / f"{name}{number}"
            option = ("--cfg-options", f"train_dataloader.num_workers={count}", "default_hooks.logger.interval=1")
            running = start("train.py", config, "--work-dir", work, *option)
            assert running.wait() == 0, running.text()
            found.append((losses(work), load_checkpoint_file(work / last)["state_dict"]))
        (first, weights), (second, others) = found
        if first != second or not all(torch.equal(value, others[key]) for key, value in weights.items()):
            lost.append((name, first, second))
    record(
        "same-seed",
        "The same seed gives the same losses and weights on one machine; of the try-on half with 0 and with 2 workers, "
        "of the segmenter with the same number of workers.",
        "two trainings of each half on paper dolls, compared bit for bit",
        2 * len(runs),
        lost,
    )


AP_TOLERANCE = 0.001


def test_ap_does_not_depend_on_the_batch_size(tiny_config_file, tiny_weights, start, record, tmp_path):
    """Photos of several sizes are padded to a common one, which moves some edges."""
    found = {}
    for size in (1, 3):
        checkpoint = tmp_path / f"batch{size}.pth"
        shutil.copy(tiny_weights[0], checkpoint)
        option = ("--cfg-options", f"test_dataloader.batch_size={size}", "test_dataloader.num_workers=0")
        running = start("test.py", tiny_config_file, checkpoint, "--work-dir", tmp_path / "work", *option)
        assert running.wait() == 0, running.text()
        (result,) = tmp_path.glob(f"batch{size}.*.json")
        metrics = json.loads(result.read_text())["metrics"]
        found[size] = {
            f"{kind} {name}": metrics[kind][name] for kind in ("bbox", "segm") for name in ("AP", "AP50", "AP75")
        }
    apart = max(abs(value - found[3][name]) for name, value in found[1].items())
    record(
        "batch-size",
        f"The AP of a checkpoint does not depend on the batch size, to {AP_TOLERANCE}.",
        "one checkpoint tested in batches of 1 and of 3",
        2,
        [] if apart <= AP_TOLERANCE else [found],
        largest_difference=round(apart, 6),
    )


def test_parse_and_try_on_give_the_same_bytes_twice(
    tiny_config_file, tiny_weights, tiny_coco, dressed, start, record, tmp_path
):
    parse = ("parse.py", tiny_config_file, tiny_weights[0], tiny_coco / "images", "--score-thr", "0.05")
    lost = []
    for command in ((*parse, "--device", "cpu"), dressed):
        trees = []
        for number in range(2):
            out = tmp_path / command[0] / str(number)
            running = start(*command, "--out", out)
            assert running.wait() == 0, running.text()
            trees.append({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()})
        if trees[0] != trees[1] or len(trees[0]) < 8:
            lost.append((command[0], [name for name in trees[0] if trees[0][name] != trees[1].get(name)]))
    record("same-bytes", "Parsing and try-on give the same bytes twice.", "both tools run twice", 4, lost)


@pytest.mark.slow
def test_memory_is_flat_and_the_rate_steady_over_2000_photos(dressed, full, record, capsys):
    """Photos of `FAULTS_PHOTOS` (Clothing Co-Parsing, say), repeated; without it the photos of the suite."""
    if not full:
        pytest.skip("takes minutes: FAULTS=full runs it")
    models = dict(zip(dressed[1:10:3], zip(dressed[2:10:3], dressed[3:10:3], strict=True), strict=True))
    folder = Path(os.environ.get("FAULTS_PHOTOS", dressed[-1]))
    photos = [read_photo(path) for path in list(find_photos(folder, folder / "none"))[:100]]
    parser = ClothingParser(*models["--segmenter"], "cpu", score_thr=0.01)
    predictor = TryOn(parser, models["--gmm"], models["--tom"])
    process, rows, began = psutil.Process(), [], time.monotonic()
    for number in range(1, 2001):
        photo = photos[number % len(photos)]
        parser(photo).label_map()
        try:
            person = predictor.person(photo)
            predictor(person, predictor.garment(photo))
        except UserError:  # nobody, or no garment, in a photo: said to the user, and not what is measured
            pass
        if number % 200 == 0:
            now = time.monotonic()
            rows.append((number, process.memory_info().rss / 2**20, 200 / (now - began)))
            began = now
            with capsys.disabled():
                print("{} photos: {:.0f} MiB, {:.2f} photos/s".format(*rows[-1]))
    memory, rates = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    grown = float(memory[-1] - memory[1])
    lost = [rows] if grown > 50 or rates[1:].min() < 0.5 * rates[1:].max() else []
    record(
        "long",
        "Memory is flat after the first photos and the rate steady.",
        "2,000 photos through the parser and the try-on in Python; grown is from photo 400 to 2,000",
        2000,
        lost,
        grown_mib=round(grown, 1),
        memory_mib=[round(float(value)) for value in memory],
        photos_per_second=[round(float(value), 2) for value in rates],
    )
