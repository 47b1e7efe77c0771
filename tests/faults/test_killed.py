"""Training, parsing and try-on killed at seeded moments, and gone on with: nothing may be lost or done twice."""

import random
import re
import signal

import moments
import pytest
import torch

from seg_vton.engine.checkpoint import load_checkpoint_file

STAGES = ("half", "unnamed", "named", "half marked")


def draw(kind, rng, size):
    """A moment of a kind in a training of `size`: iterations, images evaluated, checkpoints written, seconds a step."""
    iterations, images, written, seconds = size
    if kind == "iteration":
        return moments.in_iteration, rng.randint(1, iterations), rng.uniform(0, seconds)
    if kind == "evaluation":
        return moments.in_evaluation, rng.randint(1, images)
    return moments.in_writing, rng.randint(1, written), rng.choice(STAGES)


def leaves(value, name=""):
    """Every tensor in a nested value."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {key: leaf for part, inner in items for key, leaf in leaves(inner, f"{name}.{part}").items()}


def same(first, second):
    """Whether two checkpoints have the same weights and optimiser state, bit for bit."""
    ours, theirs = (
        {part: leaves(load_checkpoint_file(path)[part]) for part in ("state_dict", "optimizer")}
        for path in (first, second)
    )
    return all(
        ours[part].keys() == theirs[part].keys() and all(torch.equal(v, theirs[part][k]) for k, v in ours[part].items())
        for part in ours
    )


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
        f"killed-{name.lower()}",
        "A training that is killed and resumed ends with the weights and optimiser state of one that was not, bit for "
        "bit on the CPU.",
        f"{name} on paper dolls, SIGKILL at seeded moments in iterations, evaluation and the writing of checkpoints",
        killed,
        lost,
    )


ASKED = [("segmenter", 5, signal.SIGTERM), ("GMM", 3, signal.SIGINT)]


@pytest.mark.parametrize(("name", "iteration", "which"), ASKED)
def test_a_training_that_is_asked_to_end_saves_first(name, iteration, which, configs, whole, start, tmp_path):
    """The segmenter in the middle of its second epoch."""
    work, last = tmp_path / "work", TRAININGS[name][1]
    running = start("train.py", configs[name], "--work-dir", work, prepare=[(moments.signalled, iteration, which)])
    assert running.wait() == 128 + which, running.text()
    assert f"{which.name}: saving after iteration {iteration}" in running.text()
    assert "Traceback" not in running.text()
    assert load_checkpoint_file(work / f"iter_{iteration}.pth")["meta"]["iter"] == iteration
    resumed = start("train.py", configs[name], "--work-dir", work, "--resume")
    assert resumed.wait() == 0, resumed.text()
    assert same(work / last, whole(name, start) / last)
    assert {path.name for path in work.glob("*.pth")} >= {last}
    assert name == "GMM" or not (work / f"iter_{iteration}.pth").exists()  # the next checkpoint has taken its place


def test_the_last_good_checkpoint_is_found_when_the_newest_is_cut_off(configs, whole, start, tmp_path):
    work, done = tmp_path / "work", whole("GMM", start)
    work.mkdir()
    for name in ("iter_4.pth", "iter_6.pth"):
        content = (done / name).read_bytes()
        (work / name).write_bytes(content if name == "iter_4.pth" else content[: len(content) // 2])
    (work / "last_checkpoint").write_text(str(work / "iter_6.pth"))
    resumed = start("train.py", configs["GMM"], "--work-dir", work, "--resume")
    assert resumed.wait() == 0, resumed.text()
    assert re.search(r"iter_6\.pth cannot be read as a checkpoint .*The one before it is taken", resumed.text())
    assert same(work / "iter_6.pth", done / "iter_6.pth")


# ---- photos


@pytest.fixture(scope="module")
def photos(tiny_coco, tmp_path_factory):
    """Six photos."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted((tiny_coco / "images").iterdir())[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def tree(folder):
    """Bytes and time of change of all files by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def complete(start, command, out, files, rng):
    """Kills a run as it writes a file, and runs again; returns what was lost."""
    number = rng.randint(1, files)
    killed = start(*command, "--out", out, prepare=[(moments.at_file, number)])
    if killed.wait() != -signal.SIGKILL:
        return f"not killed at file {number}: {killed.text()[-1000:]}", {}
    before = {name: found for name, found in tree(out).items() if ".tmp" not in name}
    again = start(*command, "--out", out)
    again.wait()
    after = tree(out)
    done = {name.removeprefix("records/") for name, (text, _) in before.items() if b'"pending": []' in text}
    twice = [n for n in before if n in after and before[n][1] != after[n][1] and any(_of(n, d) for d in done)]
    return (f"done twice: {twice}" if twice else ""), {name: content for name, (content, _) in after.items()}


def _of(name, record):
    """Whether a file is of a photo whose record was complete."""
    return name.partition("/")[2].rpartition(".")[0] == record.removesuffix(".json")


def check_folder(tool, command, files, start, record, full, tmp_path):
    whole = start(*command, "--out", tmp_path / "0")
    assert whole.wait() == 0, whole.text()
    expected = {name: content for name, (content, _) in tree(tmp_path / "0").items()}
    lost, rng, count = [], random.Random(f"{tool} 0"), 20 if full else 2
    for number in range(1, count + 1):
        fault, found = complete(start, command, tmp_path / str(number), files, rng)
        if fault or found != expected:
            lost.append((fault, sorted(set(found) ^ set(expected))))
    record(
        f"killed-{tool.replace('_', '-')}",
        "A run over photos that is killed is completed by the same command: no file is half-written, none done twice, "
        "and the bytes are those of a run that was not killed.",
        f"tools/{tool}.py, SIGKILL as a seeded file is written",
        count,
        lost,
    )


def test_a_killed_parse_is_completed(segmenter_config, tiny_weights, photos, start, record, full, tmp_path):
    command = ("parse.py", segmenter_config, tiny_weights[0], photos, "--device", "cpu", "--score-thr", "0.05")
    check_folder("parse", command, 6 * 4, start, record, full, tmp_path)


def test_a_killed_try_on_is_completed(dressed, start, record, full, tmp_path):
    check_folder("try_on", dressed, 4 * 7, start, record, full, tmp_path)
