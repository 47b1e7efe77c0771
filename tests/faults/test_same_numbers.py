"""The same seed, photos and checkpoint give the same numbers and bytes."""

import json
import shutil

import pytest
from common import same


def losses(work):
    """Loss by iteration, as it was logged."""
    (path,) = work.glob("*/vis_data/scalars.json")
    entries = map(json.loads, path.read_text().splitlines())
    return {entry["iter"]: entry["loss"] for entry in entries if "loss" in entry}


def test_the_same_seed_gives_the_same_losses_and_weights(tiny_tryon, segmenter_config, start, record, full, tmp_path):
    """Whatever the number of workers."""
    halves = {"GMM": (tiny_tryon["gmm"], "iter_6.pth"), "segmenter": (segmenter_config, "epoch_2.pth")}
    workers, lost = (0, 0, 1, 2, 2) if full else (0, 2), []
    for name, (config, last) in halves.items():
        found = []
        for number, count in enumerate(workers):
            work = tmp_path / f"{name}{number}"
            option = ("--cfg-options", f"train_dataloader.num_workers={count}", "default_hooks.logger.interval=1")
            running = start("train.py", config, "--work-dir", work, *option)
            assert running.wait() == 0, running.text()
            found.append(losses(work))
        if found != found[:1] * len(workers) or len(found[0]) != 6:
            lost.append((name, found))
        others = [tmp_path / f"{name}{number}" / last for number in range(1, len(workers))]
        lost += [(name, other) for other in others if not same(tmp_path / f"{name}0" / last, other)]
    record(
        "Same numbers",
        "same-seed",
        "On one machine the same seed gives the same losses, weights and optimizer state, bit for bit, in both halves, "
        "with 0 and with 2 workers.",
        f"trainings of both halves on paper dolls with {', '.join(map(str, workers))} workers",
        2 * len(workers),
        lost,
    )


AP_TOLERANCE = 0.005


@pytest.fixture(scope="module")
def own_truth(tiny_coco, tmp_path_factory):
    """The function that makes annotations of a model's predictions: by these, untrained weights have an AP."""

    def make(predictions):
        truth = json.loads((tiny_coco / "annotations" / "instances.json").read_text())
        found = enumerate(json.loads(predictions.read_text()), start=1)
        keys = ("image_id", "category_id", "bbox", "segmentation")
        truth["annotations"] = [
            {
                "id": number,
                "iscrowd": 0,
                "area": found["bbox"][2] * found["bbox"][3],
                **{key: found[key] for key in keys},
            }
            for number, found in found
        ]
        path = tmp_path_factory.mktemp("truth") / "instances.json"
        path.write_text(json.dumps(truth))
        return path

    return make


def test_ap_does_not_depend_on_the_batch_size(tiny_config_file, tiny_weights, own_truth, start, record, full, tmp_path):
    """Photos of six sizes are padded to a common one, which moves some edges."""

    def run(name, *options):
        checkpoint = tmp_path / f"{name}.pth"
        shutil.copy(tiny_weights[0], checkpoint)
        ended = start("test.py", tiny_config_file, checkpoint, "--work-dir", tmp_path / "work", *options)
        assert ended.wait() == 0, ended.text()
        (result,) = tmp_path.glob(f"{name}.*-val.json")
        metrics = json.loads(result.read_text())["metrics"]
        return {f"{kind} {name}": metrics[kind][name] for kind in ("bbox", "segm") for name in ("AP", "AP50", "AP75")}

    run("first", "--out", tmp_path / "predictions.json")
    truth = own_truth(tmp_path / "predictions.json")
    paths = [f"test_dataloader.dataset.ann_file={truth}", f"test_evaluator.ann_file={truth}"]
    found, sizes = {}, (1, 2, 3, 8) if full else (1, 3)
    for size in sizes:
        settings = (f"test_dataloader.batch_size={size}", "test_dataloader.num_workers=0")
        found[size] = run(f"batch{size}", "--cfg-options", *paths, *settings)
    apart = max(abs(found[1][name] - other[name]) for other in found.values() for name in other)
    record(
        "Same numbers",
        "batch-size",
        f"The AP of a checkpoint changes with the batch size by at most {AP_TOLERANCE}.",
        f"one checkpoint tested in batches of {', '.join(map(str, sizes))}, with its own predictions as the truth",
        len(sizes),
        [] if apart <= AP_TOLERANCE and min(found[1].values()) > 0.5 else [found],
        largest_difference=round(apart, 6),
        mask_ap=[round(other["segm AP"], 4) for other in found.values()],
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
    record(
        "Same numbers", "same-bytes", "Parsing and try-on give the same bytes twice.", "both tools run twice", 4, lost
    )
