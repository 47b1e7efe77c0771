"""Runs a command and notes how long it took: `python tools/timed.py FILE STEP COMMAND...`.

Adds a line to FILE, `{"step": ..., "started": ..., "seconds": ..., "code": ...}`, also when the command fails or is
interrupted, and ends with the command's code. Only the standard library is imported: it stands before every step of
`make demo`.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Runs and notes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines; it grows by one")
    parser.add_argument("step", metavar="STEP", help="name of the step")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="program and arguments")
    args = parser.parse_args()
    if not args.command:
        parser.error("no COMMAND to run")
    started, before, code = datetime.datetime.now(datetime.timezone.utc), time.monotonic(), None
    try:
        code = subprocess.run(args.command, check=False).returncode
    except FileNotFoundError:
        sys.exit(f"error: there is no program {args.command[0]}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        seconds = round(time.monotonic() - before, 1)
        note = {"step": args.step, "started": started.isoformat(timespec="seconds"), "seconds": seconds, "code": code}
        args.file.parent.mkdir(parents=True, exist_ok=True)
        with args.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(note) + "\n")
    # A command that a signal ended has its number, negative; shells say 128 more than it.
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
