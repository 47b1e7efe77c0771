"""Training, parsing and try-on killed at seeded moments, and gone on with: nothing may be lost or done twice."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import moments
import pytest
from common import same, two_processes

from seg_vton.engine.checkpoint import load_checkpoint_file

TOOLS = Path(__file__).resolve().parents[2] / "tools"
STAGES = ("half", "unnamed", "named", "half marked")


def draw(kind, rng, size):
    """A moment of a kind in a training of `size`: iterations, images evaluated, checkpoints written, seconds a step."""
    iterations, images, written, seconds = size
    if kind == "iteration":
        return moments.in_iteration, rng.randint(1, iterations), rng.uniform(0, seconds)
    if kind == "evaluation":
        return moments.in_evaluation, rng.randint(1, images)
    return moments.in_writing, rng.randint(1, written), rng.choice(STAGES)


# Iterations, images evaluated, checkpoints written, seconds a step, the last checkpoint.
TRAININGS = {"segmenter": ((6, 8, 2, 0.2), "epoch_2.pth"), "GMM": ((6, 1, 3, 0.1), "iter_6.pth")}


@pytest.fixture(scope="module")
def configs(segmenter_config, tiny_tryon):
    return {"segmenter": segmenter_config, "GMM": tiny_tryon["gmm"]}


@pytest.fixture(scope="module")
def whole(configs, tmp_path_factory):
    """The function that gives the work dir of an uninterrupted training."""
    done = {}

    def train(name, start):
        if name not in done:
            done[name] = tmp_path_factory.mktemp(name)
            running = start("train.py", configs[name], "--work-dir", done[name])
            assert running.wait() == 0, running.text()
        return done[name]

    return train


@pytest.mark.parametrize("name", TRAININGS)
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    name, configs, whole, start, record, full, tmp_path
):
    size, last = TRAININGS[name]
    rng, kinds = random.Random(f"{name} 0"), ["writing", "evaluation", "iteration", "iteration"]
    lost, killed = [], 0
    for number in range(20 if full else 2):
        moment, work = draw(kinds[number % 4], rng, size), tmp_path / str(number)
        running = start("train.py", configs[name], "--work-dir", work, prepare=[moment])
        code = running.wait()
        killed += code == -signal.SIGKILL
        resumed = start("train.py", configs[name], "--work-dir", work, "--resume")
        good = resumed.wait() == 0 and same(work / last, whole(name, start) / last)
        if code not in (0, -signal.SIGKILL) or not good:  # 0: a delay in the last iteration that was too long
            lost.append((moment, code, resumed.text()[-2000:]))
    record(
        "Killed",
        f"killed-{name.lower()}",
        "A training that is killed and resumed ends with the weights and optimizer state of one that was not killed, "
        "bit for bit on the CPU.",
        f"{name} on paper dolls, SIGKILL at seeded moments during iterations, evaluation and saving",
        killed,
        lost,
    )


# The training, the point of it at which it is asked, how often it comes there before, and the iterations done then: the
# segmenter in the middle of an epoch, at its start and in the evaluation after it.
ASKED = [
    ("segmenter", "before_train_iter", 5, 5),
    ("GMM", "before_train_iter", 3, 3),
    ("segmenter", "before_train_iter", 4, 4),
    ("segmenter", "before_val_iter", 2, 3),
    ("GMM", "before_train_iter", 6, 6),
]


def ended_as_asked(running, which, work, done):
    """What a training that was asked to end did wrong; nothing is right."""
    code, said = running.wait(), running.text()
    if code != 128 + which or "Traceback" in said or f"{which.name}: saving after iteration {done}" not in said:
        return code, said[-2000:]
    saved = load_checkpoint_file(work / f"iter_{done}.pth")["meta"]["iter"]
    return () if saved == done else ("saved", saved)


def test_a_training_that_is_asked_to_end_saves_first(configs, whole, start, record, full, tmp_path):
    signals = [(which, everyone) for everyone in (True, False) for which in (signal.SIGTERM, signal.SIGINT)]
    cases = [(*case, *asked) for case in ASKED for asked in signals]
    lost, cases = [], cases if full else [cases[0], cases[7]]
    for number, (name, point, times, done, which, everyone) in enumerate(cases):
        work, last = tmp_path / str(number), TRAININGS[name][1]
        moment = (moments.signalled, point, times, which, everyone)
        asked = start("train.py", configs[name], "--work-dir", work, prepare=[moment])
        fault = ended_as_asked(asked, which, work, done)
        resumed = start("train.py", configs[name], "--work-dir", work, "--resume")
        if fault or resumed.wait() or not same(work / last, whole(name, start) / last):
            lost.append((moment, fault, resumed.text()[-2000:]))
        elif name == "segmenter" and (work / f"iter_{done}.pth").exists():
            lost.append((moment, "the next checkpoint has not taken its place"))
    record(
        "Killed",
        "asked-to-end",
        "On SIGTERM or SIGINT a training saves after the current iteration and ends with code 143 or 130. Resumed, it "
        "ends with the weights and optimizer state of one that was not interrupted, bit for bit on the CPU.",
        "both signals to the segmenter and the GMM during iterations and evaluation, with and without their workers",
        len(cases),
        lost,
    )


def test_processes_end_together_when_one_is_asked(configs, start, record, full, tmp_path):
    """As torchrun asks all of its processes, at slightly different moments."""
    lost, cases = [], [("segmenter", 3, signal.SIGTERM), ("GMM", 3, signal.SIGTERM), ("GMM", 4, signal.SIGINT)]
    cases = cases if full else cases[1:2]
    for number, (name, iteration, which) in enumerate(cases):
        work, plain = tmp_path / str(number), tmp_path / f"{number}-whole"
        moment = (moments.signalled, "before_train_iter", iteration, which, True)
        asked = two_processes(start, configs[name], work, prepare=[[moment], []])
        faults = [fault] if (fault := ended_as_asked(asked[0], which, work, iteration)) else []
        if (code := asked[1].wait()) != 128 + which:  # of several processes the first alone logs
            faults.append((code, asked[1].text()[-2000:]))
        for folder, option in ((work, ["--resume"]), (plain, [])):
            running = two_processes(start, configs[name], folder, *option)
            faults += [process.text()[-2000:] for process in running if process.wait()]
        last = sorted(plain.glob("*.pth"), key=lambda path: path.stat().st_mtime_ns)[-1].name
        if faults or not same(work / last, plain / last):
            lost.append((name, iteration, faults))
    record(
        "Killed",
        "asked-to-end-together",
        "If one of two processes gets the signal, they save one checkpoint after the same iteration and end with code "
        "143 or 130. Resumed, they end with the weights of two that were not interrupted, bit for bit.",
        "SIGTERM and SIGINT to one of two gloo processes",
        len(cases),
        lost,
    )


def test_torchrun_passes_the_signal_on(configs, start, record, full, tmp_path):
    """Its own exit code is 1; what matters is the checkpoint."""
    if not full:
        pytest.skip("starts three Pythons: FAULTS=full runs it; the short form signals one of two processes")
    slow = tmp_path / "slow.py"
    slow.write_text(f'_base_ = "{configs["GMM"]}"\nmax_iters = 100000\ntrain_cfg = dict(max_iters=max_iters)\n')
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    tool = [str(TOOLS / "train.py"), str(slow), "--work-dir", str(tmp_path / "work"), "--launcher", "pytorch"]
    log = tmp_path / "log"
    with log.open("wb") as stream:
        torchrun = subprocess.Popen([*launcher, *tool], stdout=stream, stderr=stream, start_new_session=True)
        try:
            while torchrun.poll() is None and not list((tmp_path / "work").glob("iter_*.pth")):
                time.sleep(0.2)
            torchrun.send_signal(signal.SIGTERM)
            torchrun.wait(120)
        finally:
            os.killpg(torchrun.pid, signal.SIGKILL) if torchrun.poll() is None else None
    saved = re.search(r"SIGTERM: saving after iteration (\d+)", log.read_text())
    lost = []
    if saved is None or not (tmp_path / "work" / f"iter_{saved[1]}.pth").exists():
        lost.append(log.read_text()[-3000:])
    else:
        ends = ("--cfg-options", f"train_cfg.max_iters={int(saved[1]) + 2}", f"train_cfg.val_interval={10**9}")
        resumed = start("train.py", slow, "--work-dir", tmp_path / "work", "--resume", *ends)
        if resumed.wait() or f"iter_{saved[1]}.pth" not in resumed.text():
            lost.append(resumed.text()[-2000:])
    record(
        "Killed",
        "torchrun",
        "torchrun passes SIGTERM on to its processes. They save together and end, and the training can be resumed.",
        "SIGTERM to torchrun with two processes of tools/train.py",
        1,
        lost,
        exit_code_of_torchrun=torchrun.returncode,
    )


def test_the_last_good_checkpoint_is_found_when_the_newest_is_damaged(configs, whole, start, record, full, tmp_path):
    """Cut off, empty, of zeros as after a power cut, or of another kind; the mark names it, nothing, or half of it."""
    rng, done, lost = random.Random(0), whole("GMM", start), []
    good, newest = (done / "iter_4.pth").read_bytes(), (done / "iter_6.pth").read_bytes()
    size = len(newest)
    damages = [newest[: rng.randrange(1, size)] for _ in range(6)] + [b"", bytes(size), b"<html>", newest[: size - 1]]
    for number, damaged in enumerate(damages if full else damages[:1]):
        work = tmp_path / str(number)
        work.mkdir()
        (work / "iter_4.pth").write_bytes(good)
        (work / "iter_6.pth").write_bytes(damaged)
        (work / "last_checkpoint").write_text(str(work / "iter_6.pth")[: (None, 0, -9)[number % 3]])
        resumed = start("train.py", configs["GMM"], "--work-dir", work, "--resume")
        code, said = resumed.wait(), resumed.text()
        named = re.search(r"iter_6\.pth cannot be read as a checkpoint .*The one before it is used", said)
        if code or not named or not same(work / "iter_6.pth", done / "iter_6.pth"):
            lost.append((number, len(damaged), said[-2000:]))
    record(
        "Killed",
        "damaged-checkpoint",
        "If the newest checkpoint is damaged, the log says so, and the training resumes from the one before it and "
        "ends in the same way.",
        "the newest checkpoint of a GMM cut off, emptied, zeroed or replaced",
        len(damages) if full else 1,
        lost,
    )


# ---- photos


def tree(folder):
    """Bytes and time of change of all files by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def complete(start, command, out, moment):
    """Kills a run at a moment and runs again; returns the first one's code, what was lost, and all files' bytes."""
    killed = start(*command, "--out", out, prepare=[moment])
    code = killed.wait()
    before = {name: found for name, found in tree(out).items() if ".tmp" not in name} if out.exists() else {}
    again = start(*command, "--out", out)
    again.wait()
    after = tree(out)
    done = {name.removeprefix("records/") for name, (text, _) in before.items() if b'"pending": []' in text}
    twice = [n for n in before if n in after and before[n][1] != after[n][1] and any(_of(n, d) for d in done)]
    return code, [f"done twice: {twice}"] if twice else [], {name: content for name, (content, _) in after.items()}


def _of(name, record):
    """Whether a file is of a photo whose record was complete."""
    return name.partition("/")[2].rpartition(".")[0] == record.removesuffix(".json")


def check_folder(tool, command, files, start, record, full, tmp_path):
    whole = start(*command, "--out", tmp_path / "0")
    assert whole.wait() == 0, whole.text()
    expected = {name: content for name, (content, _) in tree(tmp_path / "0").items()}
    lost, rng, killed = [], random.Random(f"{tool} 0"), 0
    for number in range(1, (20 if full else 2) + 1):
        # Every other one as a file of results waits for its name, the others in whatever comes after one.
        moment = moments.at_file, rng.randint(1, files), 0 if number % 2 else rng.uniform(0.001, 0.1)
        code, faults, found = complete(start, command, tmp_path / str(number), moment)
        killed += code == -signal.SIGKILL
        in_time = code == -signal.SIGKILL or (code == 0 and moment[2])  # else the delay was longer than the rest
        if faults or found != expected or not in_time:
            lost.append((moment, code, faults, sorted(set(found) ^ set(expected))))
    record(
        "Killed",
        f"killed-{tool.replace('_', '-')}",
        "The same command completes a run over photos that was killed: no file is half-written or made twice, and the "
        "bytes are those of a run that was not killed.",
        f"tools/{tool}.py, SIGKILL at seeded moments, half of them while a file is written",
        killed,
        lost,
    )


def test_a_killed_parse_is_completed(segmenter_config, tiny_weights, photos, start, record, full, tmp_path):
    command = ("parse.py", segmenter_config, tiny_weights[0], photos, "--device", "cpu", "--score-thr", "0.05")
    check_folder("parse", command, 6 * 4, start, record, full, tmp_path)


def test_a_killed_try_on_is_completed(dressed, start, record, full, tmp_path):
    check_folder("try_on", dressed, 4 * 7, start, record, full, tmp_path)
