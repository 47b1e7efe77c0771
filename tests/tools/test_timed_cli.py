"""tools/timed.py as the Makefile runs it."""

import json
import sys


def notes(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_run_adds_a_line_and_ends_as_its_command_does(cli, tmp_path):
    file = tmp_path / "new" / "timings.jsonl"
    slept = cli("timed.py", file, "sleep a little", sys.executable, "-c", "import time; time.sleep(0.3); print('hi')")
    failed = cli("timed.py", file, "fail", sys.executable, "-c", "raise SystemExit(3)", "--overwrite")
    assert (slept.returncode, failed.returncode) == (0, 3)
    assert slept.stdout == "hi\n"
    first, second = notes(file)
    assert (first["step"], first["code"], second["step"], second["code"]) == ("sleep a little", 0, "fail", 3)
    assert first["seconds"] >= 0.3
    assert first["started"] <= second["started"]


def test_a_command_that_a_signal_ends_is_noted_too(cli, tmp_path):
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    ended = cli("timed.py", tmp_path / "timings.jsonl", "die", sys.executable, "-c", kill)
    assert ended.returncode == 143
    assert [note["code"] for note in notes(tmp_path / "timings.jsonl")] == [-15]


def test_what_cannot_be_run_ends_in_a_line(cli, tmp_path):
    unknown = cli("timed.py", tmp_path / "timings.jsonl", "step", "no-such-program")
    assert unknown.returncode == 1
    assert unknown.stderr == "error: there is no program no-such-program\n"
    empty = cli("timed.py", tmp_path / "timings.jsonl", "step")
    assert empty.returncode == 2
    assert "no COMMAND to run" in empty.stderr
