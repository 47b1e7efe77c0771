"""Other processes gone, and no network."""

import random
import subprocess
import sys

import moments
import network
import pytest
from common import said, two_processes

from seg_vton.engine.checkpoint import load_checkpoint_file


def test_a_process_that_is_left_alone_says_so_and_the_training_goes_on_later(
    segmenter_config, tiny_tryon, start, record, full, tmp_path
):
    """Either may be the one that is left, in the first iteration or later."""
    rng, lost, number = random.Random(0), [], 0
    halves = {"GMM": (tiny_tryon["gmm"], 6, "iter_6.pth"), "segmenter": (segmenter_config, 4, "epoch_2.pth")}
    cases = [(name, rng.randint(1, size), rng.randint(0, 1)) for name, (_, size, _) in halves.items() for _ in range(4)]
    for number, (name, iteration, killed) in enumerate(cases if full else [("GMM", 4, 1)], start=1):
        (config, size, last), work = halves[name], tmp_path / str(number)
        faults = [[], []]
        faults[killed] = [(moments.before_iteration, iteration)]
        processes = two_processes(
            start, config, work, "--cfg-options", "train_dataloader.num_workers=0", prepare=faults
        )
        processes[killed].wait()
        left = processes[1 - killed]
        code = left.wait(60)
        if code != 1 or "another process of this run has ended" not in said(left):
            lost.append((name, iteration, killed, code, left.text()[-2000:]))
        resumed = two_processes(start, config, work, "--resume")
        said_more = [process.text()[-2000:] for process in resumed if process.wait()]
        if said_more or load_checkpoint_file(work / last)["meta"]["iter"] != size:
            lost.append((name, iteration, killed, said_more))
    record(
        "Alone",
        "left-alone",
        "If one of two processes is killed, the other ends within a minute with a message; both go on with --resume.",
        "two gloo processes, one with SIGKILL at a seeded iteration, then both with --resume",
        number,
        lost,
    )


@pytest.fixture(scope="module")
def demo(segmenter_config, tiny_weights, tiny_tryon, dressed, tmp_path_factory):
    """The steps of `make demo` with small sets and models: tools and arguments, in order.

    The try-on half is trained on the dolls' own parsing maps: those of weights that nobody has trained are refused.
    """
    root = tmp_path_factory.mktemp("demo")
    coco, dolls, work = root / "coco", root / "dolls", root / "demo"
    config = root / "segmenter.py"
    # Weights that find something everywhere stay what they are.
    config.write_text(
        f"""
_base_ = "{segmenter_config}"
load_from = "{tiny_weights[0]}"
optim_wrapper = dict(optimizer=dict(lr=1e-12))
train_dataloader = dict(dataset=dict(data_root="{coco}/"))
val_dataloader = dict(dataset=dict(data_root="{coco}/"))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file="{coco}/annotations/instances_val.json")
test_evaluator = val_evaluator
"""
    )
    stages = {}
    for stage in ("gmm", "tom"):
        stages[stage] = root / f"{stage}.py"
        stages[stage].write_text(
            f"""
_base_ = "{tiny_tryon[stage]}"
train_dataloader = dict(dataset=dict(data_root="{dolls}/"))
val_dataloader = dict(dataset=dict(data_root="{dolls}/"))
test_dataloader = val_dataloader
"""
        )
    segmenter, gmm, tom = work / "segmenter" / "epoch_2.pth", work / "gmm" / "iter_6.pth", work / "tom" / "iter_6.pth"
    warped = ("--cfg-options", f"model.warper.checkpoint={gmm}")
    lower = ("--score-thr", "0.01")

    def parse(split):
        photos, out = dolls / split / "image", work / "parsing" / split
        return "parse.py", config, segmenter, photos, "--out", out, "--write", "label-map", *lower

    def test(stage, checkpoint, out, *options):
        return (
            "test.py",
            stages[stage],
            checkpoint,
            "--work-dir",
            checkpoint.parent,
            "--out",
            checkpoint.parent / out,
            *options,
        )

    models = ("--segmenter", config, segmenter, "--gmm", stages["gmm"], gmm, "--tom", stages["tom"], tom)
    predictions = segmenter.parent / "predictions.json"
    return [
        ("data/paper_doll.py", "--out", coco, "--train", 4, "--val", 2, "--layout", "coco", "--workers", 1),
        ("train.py", config, "--work-dir", segmenter.parent, "--resume"),
        ("test.py", config, segmenter, "--work-dir", segmenter.parent, "--out", predictions),
        ("analysis/panels.py", config, "--models", f"A={predictions}", "--random", 2, "--out", work / "panels"),
        ("data/paper_doll.py", "--out", dolls, "--train", 5, "--test", 3, "--layout", "viton", "--workers", 1),
        parse("train"),
        parse("test"),
        ("train.py", stages["gmm"], "--work-dir", gmm.parent, "--resume"),
        test("gmm", gmm, "test"),
        ("train.py", stages["tom"], "--work-dir", tom.parent, "--resume", *warped),
        test("tom", tom, "test", *warped),
        test("tom", tom, "test-unpaired", "--split", "test-unpaired", *warped),
        ("try_on.py", *dressed[-4:], "--pose", "none", *models, "--out", work / "try-on", *lower),
        ("analysis/report.py", work, "--out", work / "report.html"),
    ]  # fmt: skip


def test_the_demo_makes_no_connection(demo, start, record, tmp_path):
    """Its steps are training, testing, parsing and try-on of both halves."""
    log, lost, removed = tmp_path / "connections", [], network.can_be_taken_away()
    prepare = [(network.watch, str(log)), *([(network.take_away,)] if removed else [])]
    for step in demo:
        running = start(*step, prepare=prepare)
        if running.wait():
            lost.append((step[0], running.text()[-2000:]))
            break  # the next ones need it
    lost += log.read_text().splitlines() if log.exists() else []
    how = "in a namespace without a network, " if removed else ""
    record(
        "Alone",
        "no-network",
        "Training, testing, parsing, try-on and the demo's report need no network and make no connection.",
        f"the steps of the demo with small sets and models, {how}every connection and name lookup noted",
        len(demo),
        lost,
        network="taken away" if removed else "watched",
    )


@pytest.mark.slow
def test_the_short_tests_need_no_network(repo, full, record, tmp_path):
    if not full:
        pytest.skip("runs the whole suite: FAULTS=full does it")
    if not network.can_be_taken_away():
        pytest.skip("needs user namespaces (unshare)")
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "--ignore", "tests/faults", f"--junitxml={report}"]
    ended = subprocess.run(command, cwd=repo, check=False, capture_output=True, text=True, preexec_fn=network.take_away)
    count = int(ended.stdout.rpartition(" passed")[0].split()[-1])
    record(
        "Alone",
        "tests-without-network",
        "The tests need no network.",
        "all tests but the fault suite, in a namespace without a network",
        count,
        [] if ended.returncode == 0 else [ended.stdout[-3000:]],
    )
