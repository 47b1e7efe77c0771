"""Full disks, loaders whose workers die, losses that are not numbers, other processes gone, no network."""

import re
import shutil
import socket
import subprocess

import moments
import pytest

from seg_vton.engine.checkpoint import load_checkpoint_file


def said(running):
    """The one message of a run."""
    text = running.text()
    assert "Traceback" not in text, text[-3000:]
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    return line


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
        "full-disk",
        "Where there is no room, a message names the file, what was there before stays, and the exit code is 1.",
        "a limit on the size of files as a checkpoint is written, no room on the disk as a label map and a report are",
        3,
        lost,
    )


def test_a_loader_that_dies_names_its_sample(segmenter_config, doll_coco, start, tmp_path):
    running = start("train.py", segmenter_config, "--work-dir", tmp_path / "work", prepare=[(moments.loader_dies, 4)])
    assert running.wait(120) == 1, running.text()
    assert re.search(
        rf"a worker of the data loader .* at sample 4 \({doll_coco}/images/train/\w+\.jpg\)", said(running)
    )


def test_a_broken_image_is_named_by_the_loader(segmenter_config, doll_coco, start, tmp_path):
    root = shutil.copytree(doll_coco, tmp_path / "dolls")
    broken = sorted((root / "images" / "train").iterdir())[2]
    broken.write_bytes(b"not an image")
    option = ("--cfg-options", f"train_dataloader.dataset.data_root={root}/")
    running = start("train.py", segmenter_config, "--work-dir", tmp_path / "work", *option)
    assert running.wait(120) == 1, running.text()
    assert f"({broken}) cannot be loaded" in said(running)


@pytest.mark.parametrize("name", ["segmenter", "GMM"])
def test_a_loss_that_turns_nan_stops_the_training(name, segmenter_config, tiny_tryon, start, tmp_path):
    """Epoch 1 and iteration 2 are saved, then comes NaN; what is saved after that would be lost weights."""
    config = {"segmenter": segmenter_config, "GMM": tiny_tryon["gmm"]}[name]
    own = tmp_path / "patient.py"
    hooks = '[*_base_.custom_hooks, dict(type="NonFiniteLossHook", patience=2)]'
    own.write_text(f'_base_ = "{config}"\ncustom_hooks = {hooks}\n')
    running = start("train.py", own, "--work-dir", tmp_path / "work", prepare=[(moments.loss_is_nan, 4)])
    assert running.wait() == 1, running.text()
    line = said(running)
    assert re.search(r"the loss of iteration 5 is nan, the batch: .*\.jpg", line), line
    last = "epoch_1.pth" if name == "segmenter" else "iter_2.pth"
    assert (tmp_path / "work" / "last_checkpoint").read_text().endswith(last)
    assert all(v.isfinite().all() for v in load_checkpoint_file(tmp_path / "work" / last)["state_dict"].values())
    assert not (tmp_path / "work" / "iter_4.pth").exists()


def test_a_process_that_is_left_alone_says_so_and_the_training_goes_on_later(tiny_tryon, start, record, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work, lost = tmp_path / "work", []
    arguments = ("train.py", tiny_tryon["gmm"], "--work-dir", work, "--launcher", "pytorch")
    option = ("--cfg-options", "train_dataloader.num_workers=0")
    first, second = (
        start(*arguments, *option, prepare=[(moments.process_of_two, rank, port, fatal)])
        for rank, fatal in ((0, 0), (1, 4))
    )
    second.wait()
    code = first.wait(60)
    if code != 1 or "another process of this run has ended" not in said(first):
        lost.append((code, first.text()[-2000:]))
    resumed = start("train.py", tiny_tryon["gmm"], "--work-dir", work, "--resume")
    if resumed.wait() or load_checkpoint_file(work / "iter_6.pth")["meta"]["iter"] != 6:
        lost.append(resumed.text()[-2000:])
    record(
        "alone",
        "Where one of two processes is killed, the other ends within a minute and says why; the training can go on.",
        "two gloo processes, one with SIGKILL in its fourth iteration, then --resume",
        1,
        lost,
    )


def test_nothing_is_asked_of_the_network(segmenter_config, tiny_weights, doll_coco, dressed, start, record, tmp_path):
    log, lost = tmp_path / "connections", []
    work = ("--work-dir", tmp_path / "work")
    checkpoint = shutil.copy(tiny_weights[0], tmp_path / "epoch_1.pth")
    commands = [
        ("train.py", segmenter_config, *work),
        ("test.py", segmenter_config, checkpoint, *work),
        ("parse.py", segmenter_config, checkpoint, doll_coco / "images" / "val", "--out", tmp_path / "parsed"),
        (*dressed, "--out", tmp_path / "dressed"),
    ]
    for command in commands:
        running = start(*command, prepare=[(moments.network_watched, str(log))])
        if running.wait():
            lost.append((command[0], running.text()[-1000:]))
    lost += log.read_text().splitlines() if log.exists() else []
    record(
        "no-network",
        "Training, testing, parsing and try-on make no connection.",
        "every connection and look-up of a name noted by an audit hook",
        len(commands),
        lost,
    )


@pytest.mark.slow
def test_without_a_network_the_short_tests_pass(repo):
    """In a name space of its own, which has none."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("needs `unshare -rn` of util-linux and user name spaces")
    python = repo / ".venv" / "bin" / "python"
    command = ["unshare", "-rn", str(python), "-m", "pytest", "-q", "-m", "not slow", "--ignore", "tests/faults"]
    assert subprocess.run(command, cwd=repo, check=False).returncode == 0
