"""Full disks, loaders whose workers die, losses that are not numbers."""

import re
import shutil
import subprocess

import moments
import pytest
from common import files, said, same

from seg_vton.engine.checkpoint import load_checkpoint_file


def test_a_full_disk_is_said_and_what_was_there_stays(
    tiny_tryon, tiny_config_file, tiny_weights, tiny_coco, start, record, tmp_path
):
    """While a checkpoint, a label map and a report are written."""
    work, lost = tmp_path / "work", []
    work.mkdir()
    (work / "iter_2.pth").write_bytes(b"earlier")
    alone = ("--cfg-options", "train_dataloader.num_workers=0")  # workers would send batches in files
    command = ("train.py", tiny_tryon["gmm"], "--work-dir", work, *alone)
    training = start(*command, prepare=[(moments.file_size, 100_000)])
    code, line = training.wait(), said(training)
    if code != 1 or not re.search(r"iter_2\.pth cannot be written: File too large", line):
        lost.append(("checkpoint", code, line))
    if (work / "iter_2.pth").read_bytes() != b"earlier" or list(work.glob(".*.tmp*")):
        lost.append(("checkpoint", [path.name for path in work.iterdir()]))
    command = ("parse.py", tiny_config_file, tiny_weights[0], tiny_coco / "images", "--out", tmp_path / "out")
    settings = ("--device", "cpu", "--score-thr", "0.05", "--write", "label-map")
    parsing = start(*command, *settings, prepare=[(moments.no_room_for, r"\.5\.\d+\.tmp\.png")])
    code, line = parsing.wait(), said(parsing)
    if code != 1 or "label-map/5.png cannot be written: No space left" not in line:
        lost.append(("mask", code, line))
    whole = start(*command, *settings)
    if whole.wait() or "parsed 3 photos, 5 were done before" not in whole.text():
        lost.append(("mask", whole.text()[-1000:]))
    checkpoint = tmp_path / "epoch_1.pth"
    shutil.copy(tiny_weights[0], checkpoint)
    options = ("--work-dir", work, "--cfg-options", "test_dataloader.num_workers=0")
    testing = start(
        "test.py", tiny_config_file, checkpoint, *options, prepare=[(moments.no_room_for, r"epoch_1\.tiny")]
    )
    code, line = testing.wait(), said(testing)
    if code != 1 or "json cannot be written: No space left" not in line or list(tmp_path.glob("epoch_1.*.json")):
        lost.append(("report", code, line))
    record(
        "Starved",
        "full-disk",
        "If the disk is full, a message names the file, earlier files stay intact, and the exit code is 1.",
        "a limit on the size of files while a checkpoint is written; no room on the disk for a label map and a report",
        3,
        lost,
    )


@pytest.fixture
def mounts():
    """Skips where a process cannot have disks of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs `unshare -rm` of util-linux and mount name spaces")


def test_what_was_written_before_a_small_disk_was_full_is_whole(
    mounts, tiny_tryon, segmenter_config, tiny_weights, photos, start, record, tmp_path
):
    """A tmpfs on which one checkpoint has room and two have not, and one on which half of the label maps have."""
    lost = []
    config, whole = tiny_tryon["gmm"], tmp_path / "whole"
    training = start("train.py", config, "--work-dir", whole)
    assert training.wait() == 0, training.text()
    work, kept = tmp_path / "work", tmp_path / "kept"
    work.mkdir()
    size = (whole / "iter_2.pth").stat().st_size
    disk = (moments.small_disk, work, int(1.5 * size) + 100_000, kept)
    alone = ("--cfg-options", "train_dataloader.num_workers=0")
    training = start("train.py", config, "--work-dir", work, *alone, prepare=[disk])
    code, line = training.wait(), said(training)
    if code != 1 or "iter_4.pth cannot be written: No space left on device" not in line:
        lost.append(("checkpoint", code, line))
    resumed = start("train.py", config, "--work-dir", kept, "--resume")
    if (
        resumed.wait()
        or f"{kept / 'iter_2.pth'}" not in resumed.text()
        or not same(*(f / "iter_6.pth" for f in (kept, whole)))
    ):
        lost.append(("checkpoint", resumed.text()[-2000:]))

    command = ("parse.py", segmenter_config, tiny_weights[0], photos, "--device", "cpu", "--score-thr", "0.05")
    parsing = start(*command, "--out", tmp_path / "parsed")
    assert parsing.wait() == 0, parsing.text()
    expected = files(tmp_path / "parsed")
    work, kept = tmp_path / "out", tmp_path / "kept-out"
    work.mkdir()
    blocks = sum(-(-len(content) // 4096) for content in expected.values())
    parsing = start(*command, "--out", work, prepare=[(moments.small_disk, work, 4096 * blocks // 2, kept)])
    code, line = parsing.wait(), said(parsing)
    some = files(kept)
    if code != 1 or "cannot be written: No space left on device" not in line or not 0 < len(some) < len(expected):
        lost.append(("mask", code, line, list(some)))
    lost += [("not whole", name) for name in some if "records" not in name and some[name] != expected[name]]
    completed = start(*command, "--out", kept)
    if completed.wait() or files(kept) != expected:
        lost.append(("mask", completed.text()[-1000:]))
    record(
        "Starved",
        "small-disk",
        "What was written before the disk was full is whole, and the same command goes on from it once there is room.",
        "a small tmpfs that fills while a GMM saves its second checkpoint, and while tools/parse.py runs",
        2,
        lost,
    )


def test_a_loader_that_dies_names_its_sample(
    segmenter_config, tiny_tryon, doll_coco, tiny_dolls, start, record, full, tmp_path
):
    halves = {"segmenter": (segmenter_config, rf"{doll_coco}/images/train/\w+\.jpg")}
    halves["GMM"] = (tiny_tryon["gmm"], rf"{tiny_dolls}/train/image/\w+\.jpg")
    cases = [(name, index) for name in halves for index in (range(5) if full else (4,))]
    lost = []
    for number, (name, index) in enumerate(cases):
        config, file = halves[name]
        dying = start("train.py", config, "--work-dir", tmp_path / str(number), prepare=[(moments.loader_dies, index)])
        code, line = dying.wait(120), said(dying)
        if code != 1 or not re.search(rf"a worker of the data loader .* at sample {index} \({file}\)", line):
            lost.append((name, index, code, line))
    record(
        "Starved",
        "dead-worker",
        "If a worker of the data loader dies, the training ends with a message that names the sample and does not "
        "hang.",
        "SIGKILL to a worker that loads a given sample, in both halves",
        len(cases),
        lost,
    )


def test_a_broken_image_is_named_by_the_loader(segmenter_config, doll_coco, start, record, full, tmp_path):
    lost, names = [], sorted(path.name for path in (doll_coco / "images" / "train").iterdir())
    names = names if full else names[2:3]
    for number, name in enumerate(names):
        root = shutil.copytree(doll_coco, tmp_path / str(number))
        broken = root / "images" / "train" / name
        broken.write_bytes(b"not an image" if number % 2 == 0 else broken.read_bytes()[:400])
        option = ("--cfg-options", f"train_dataloader.dataset.data_root={root}/")
        running = start("train.py", segmenter_config, "--work-dir", tmp_path / f"work{number}", *option)
        code, line = running.wait(120), said(running)
        if code != 1 or str(broken) not in line:
            lost.append((name, code, line))
    record(
        "Starved",
        "broken-image",
        "A training whose image cannot be decoded ends with a message that names it.",
        "images of a training set replaced and cut off",
        len(names),
        lost,
    )


def test_a_loss_that_turns_nan_stops_the_training(segmenter_config, tiny_tryon, start, record, full, tmp_path):
    """Epoch 1 and iteration 2 are saved, then comes NaN; what is saved after that would be lost weights."""
    halves = {"segmenter": (segmenter_config, "epoch_1.pth"), "GMM": (tiny_tryon["gmm"], "iter_2.pth")}
    cases = [(name, patience) for name in halves for patience in ((1, 2, 3) if full else (2,))]
    lost = []
    for number, (name, patience) in enumerate(cases):
        (config, last), own, work = halves[name], tmp_path / f"patient{number}.py", tmp_path / str(number)
        hooks = f'[*_base_.custom_hooks, dict(type="NonFiniteLossHook", patience={patience})]'
        own.write_text(f'_base_ = "{config}"\ncustom_hooks = {hooks}\n')
        running = start("train.py", own, "--work-dir", work, prepare=[(moments.loss_is_nan, 4)])
        code, line = running.wait(), said(running)
        if code != 1 or not re.search(rf"the loss of iteration {3 + patience} is nan, the batch: .*\.jpg", line):
            lost.append((name, patience, code, line))
        saved = [path.name for path in work.glob("*.pth")]
        good = all(v.isfinite().all() for v in load_checkpoint_file(work / last)["state_dict"].values())
        if not (work / "last_checkpoint").read_text().endswith(last) or not good or saved != [last]:
            lost.append((name, patience, saved))
    record(
        "Starved",
        "nan",
        "If the loss is NaN for as many steps as the config allows, the training ends and names the ids and files of "
        "the batch. Weights that are not finite are never saved.",
        "the loss of both halves made NaN from the fourth iteration on, with 1 to 3 steps allowed",
        len(cases),
        lost,
    )
