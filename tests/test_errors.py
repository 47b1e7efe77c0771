import argparse
import errno
import os
import signal
import sys

import pytest
from mmengine.logging import MMLogger

from seg_vton.errors import ConfigOptions, ToolParser, UserError, exit_on_user_error, share


def test_a_user_error_ends_the_process_with_its_message(capsys):
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("photo.jpg is not an image")
    assert ended.value.code == "error: photo.jpg is not an image"  # Python prints it on stderr and exits with 1


def test_other_errors_keep_their_traceback():
    with pytest.raises(ValueError, match="ours"), exit_on_user_error():
        raise ValueError("ours")


@pytest.mark.parametrize("option", ["lr", "a=[1,(2]"])
def test_an_option_that_is_none_is_one_message(option, capsys):
    parser = ToolParser()
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions)
    assert parser.parse_args(["--cfg-options", "a.b=[1,2]", "c=x=y"]).cfg_options == {"a.b": [1, 2], "c": "x=y"}
    with pytest.raises(SystemExit):
        parser.parse_args(["--cfg-options", option])
    assert f"error: --cfg-options takes KEY=VALUE ..., found {option}" in capsys.readouterr().err


def test_nothing_happens_without_an_error():
    with exit_on_user_error():
        result = 3
    assert result == 3


def test_a_user_error_is_a_value_error():
    assert issubclass(UserError, ValueError)


def test_an_interrupted_process_ends_with_the_shells_codes(capsys):
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 143
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_full_disk_is_the_users_to_clear_and_other_faults_of_files_are_not():
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log.json")
    assert ended.value.code == "error: log.json cannot be written: No space left on device. Make room and run again"
    with pytest.raises(FileNotFoundError), exit_on_user_error():
        raise FileNotFoundError(errno.ENOENT, "none")


def test_the_traceback_stands_in_the_runs_log_and_with_debug_on_the_console(tmp_path, capsys, monkeypatch):
    MMLogger.get_instance("faulty", log_file=tmp_path / "run.log")

    def read_photo():
        raise UserError("photo.jpg is not an image")

    for options, shown in ((["tool"], False), (["tool", "--debug"], True)):
        monkeypatch.setattr(sys, "argv", options)
        with pytest.raises(SystemExit, match=r"error: photo\.jpg"), exit_on_user_error():
            read_photo()
        assert ("in read_photo" in capsys.readouterr().err) == shown
    assert (tmp_path / "run.log").read_text().count("in read_photo") == 2
    assert ToolParser().parse_args(["--debug"]).debug


def test_a_share_is_from_0_to_1():
    assert share("0.3") == 0.3
    for text in ("30", "-0.1", "nan"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not from 0 to 1"):
            share(text)
