"""The one exception for faults in what a user gave, and how the tools show it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A file, option or config of the user's is wrong.

    The message names the file, what was expected, what was found and how to fix it; the tools print it without a
    traceback.
    """


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Ends the process with code 1 and the message on stderr when the body raises `UserError`."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
