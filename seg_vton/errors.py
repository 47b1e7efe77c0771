"""The one exception for faults in what a user gave, and how the tools show it."""

from __future__ import annotations

import errno
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from PIL import Image


class UserError(ValueError):
    """A file, option or config of the user's is wrong.

    The message names the file, what was expected, what was found and how to fix it; the tools print it without a
    traceback.
    """


class DamagedFileError(UserError):
    """A file is cut off or not of the kind that was expected: another copy of it may be good."""


BROKEN_IMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on image files that are broken (SyntaxError for PNG chunks, the next from headers and EXIF), or
whose header announces more pixels than it decodes."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Ends the process with a message on stderr and no traceback where the user, and nobody else, can do something.

    That is: with code 1 when the body raises `UserError`, or when there is no room on the disk for what any library
    writes; with 130 when it is interrupted (Ctrl-C) and with 143 when it is asked to end (SIGTERM), temporary files
    removed.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        sys.exit(f"error: {error.filename or 'a file'} cannot be written: {error.strerror}. Make room and run again")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:
    """Handles SIGTERM as Python does Ctrl-C: by an exception, so that what is half-done is cleared away."""
    sys.exit(128 + number)
