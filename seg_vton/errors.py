"""The one exception for faults in what a user gave, and how the tools show it."""

import argparse
import errno
import logging
import signal
import struct
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image


class UserError(ValueError):
    """A file, option or config of the user's is wrong.

    The message names the file, what was expected, what was found and how to fix it; the tools print it without a
    traceback, which is in the run's log and on the console with `--debug`.
    """

    details: str = ""
    """The traceback in another process, where the error comes from there."""


class DamagedFileError(UserError):
    """A file is cut off or not of the kind that was expected: another copy of it may be good."""


BROKEN_IMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on image files that are broken (SyntaxError for PNG chunks, the next from headers and EXIF), or
whose header announces more pixels than it decodes."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ConfigOptions(argparse.Action):
    """`--cfg-options KEY=VALUE ...` as mmengine reads it; mmengine is imported when the option is there."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Puts a dict of values by dotted keys into the namespace."""
        from mmengine.config import DictAction

        try:
            DictAction(self.option_strings, self.dest)(parser, namespace, values, option)
        except (ValueError, AssertionError):  # no `=`; brackets that are not closed
            parser.error(f"{option} takes KEY=VALUE ..., found {' '.join(values)}")


class ToolParser(argparse.ArgumentParser):
    """argparse's parser of a tool, whose `description` help shows as it is written.

    It has the option that all tools have, `--debug`; see `exit_on_user_error`.
    """

    def __init__(self, description: str | None = None) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument("--debug", action="store_true", help="show the traceback of an error in a file or option too")


def height_by_width(text: str, least: int = 32, most: int = 4096) -> tuple[int, int]:
    """(height, width) of an option such as `1024x768`, as argparse's `type`."""
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isdecimal() and least <= int(side) <= most for side in sides):
        raise argparse.ArgumentTypeError(f"{text} is not height x width, each from {least} to {most}, such as 1024x768")
    return int(sides[0]), int(sides[1])


def share(text: str) -> float:
    """An option from 0 to 1, as argparse's `type`; it does not take percent."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Ends the process with a message on stderr and no traceback where the user, and nobody else, can do something.

    That is: with code 1 when the body raises `UserError`, or when there is no room on the disk for what any library
    writes; with 130 when it is interrupted (Ctrl-C) and with 143 when it is asked to end (SIGTERM), temporary files
    removed. The traceback of any error is written to the run's log, and with `--debug` on the command line to stderr.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except Exception as error:
        full = "".join(traceback.format_exception(error)) + getattr(error, "details", "")
        loggers = sys.modules.get("mmengine.logging")  # takes seconds to import, and no run has a log without it
        for handler in loggers.MMLogger.get_current_instance().handlers if loggers else ():
            if isinstance(handler, logging.FileHandler):  # of the file alone; there is none before a run
                with suppress(OSError), Path(handler.baseFilename).open("a", encoding="utf-8") as log:  # no room, say
                    log.write(full)
        if isinstance(error, UserError):
            message = str(error)
        elif isinstance(error, OSError) and error.errno in _NO_ROOM:
            message = f"{error.filename or 'a file'} cannot be written: {error.strerror}. Make room and run again"
        else:
            raise
        if "--debug" in sys.argv:
            print(full, file=sys.stderr)
        sys.exit(f"error: {message}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:
    """Handles SIGTERM as Python does Ctrl-C: by an exception, so that what is half-done is cleared away."""
    sys.exit(128 + number)
