import os
import runpy
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from tool_process import Started, parts_of, widen

REPO = Path(__file__).resolve().parents[2]


class Cli:
    """Runs the tools as a user does, in processes of their own; single ones are forked with the imports done.

    Output goes through files, and each process leads a session: a killed training leaves loader workers behind, which
    would keep a pipe open and may wait for ever.
    """

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def __call__(self, tool, *arguments, processes=1, torchrun=False):
        """Runs `tools/TOOL`, in several processes where asked; returns the end with its output, of the first process.

        Several are forked too, as torchrun starts them; torchrun itself, which imports all anew in each, on request.
        """
        self.count += 1
        log = self.folder / f"{self.count}-{Path(tool).stem}"
        out, err, script = log.with_suffix(".out"), log.with_suffix(".err"), str(REPO / "tools" / tool)
        command = list(map(str, arguments))
        if torchrun:
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
            with out.open("w") as stdout, err.open("w") as stderr:
                running = subprocess.Popen(
                    [sys.executable, *launcher, script, *command],
                    cwd=self.folder,
                    env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
                try:
                    code = running.wait()
                finally:
                    with suppress(ProcessLookupError):  # no process of the tool's is left, as it should be
                        os.killpg(running.pid, signal.SIGKILL)
        elif processes == 1:
            code = Started(script, command, out, [(widen,)], str(self.folder), str(err)).wait()
        else:
            command += ["--launcher", "pytorch"]
            others = [log.with_suffix(f".{rank}") for rank in range(1, processes)]
            prepared = [[(widen,), part] for part in parts_of(processes)]
            running = [
                Started(script, command, path, prepare, str(self.folder), str(errors))
                for path, errors, prepare in zip((out, *others), (err, *others), prepared, strict=True)
            ]
            code = max(abs(process.wait()) for process in running)
        return subprocess.CompletedProcess([script, *command], code, out.read_text(), err.read_text())

    def together(self, calls):
        """Runs `{name: arguments of a call}`, as many at once as there are cores; returns the ends by name."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            running = {name: pool.submit(self, *call) for name, call in calls.items()}
            return {name: future.result() for name, future in running.items()}


@pytest.fixture(scope="session")
def cli(tmp_path_factory):
    return Cli(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def here(monkeypatch):
    """Runs a tool in this process, which saves its start; returns what it ends with: a code, or a message (code 1)."""

    def run(tool, *arguments):
        monkeypatch.setattr(sys, "argv", [tool, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPO / "tools" / tool), run_name="__main__")
        return ended.value.code

    return run


class Trap:
    """Pickled, it makes a folder when it is loaded as Python would."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        """What unpickling is to call."""
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def payload(tmp_path):
    """Adds a payload to a checkpoint, which makes `tmp_path / "owned"` when it runs; returns the new file."""

    def add(checkpoint):
        path = tmp_path / "payload.pth"
        content = torch.load(checkpoint, weights_only=True)
        torch.save({"state_dict": content.get("state_dict", content), "extra": Trap(tmp_path / "owned")}, path)
        return path

    return add


@pytest.fixture(scope="session")
def trained(cli, tiny_config_file, tmp_path_factory):
    """Work dir of an uninterrupted training of 3 epochs of 4 iterations, with two loader workers."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    ended = cli("train.py", tiny_config_file, "--work-dir", folder)
    assert ended.returncode == 0, ended.stderr
    return folder
