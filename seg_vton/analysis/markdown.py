"""Markdown tables, and putting them between the markers of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, write_text


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ()) -> str:
    """A Markdown table with padded columns, so that it can be read as plain text too.

    Args:
        header: the columns' names.
        rows: cells, each row as long as the header.
        left: the columns aligned to the left; the others are numbers, aligned to the right.
    """
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = [
        "-" * width if name in left else "-" * (width - 1) + ":" for name, width in zip(header, widths, strict=True)
    ]

    def render(line: Sequence[str]) -> str:
        cells = zip(line, widths, header, strict=True)
        return "| " + " | ".join(c.ljust(w) if name in left else c.rjust(w) for c, w, name in cells) + " |"

    return "\n".join(map(render, (lines[0], rule, *lines[1:])))


def mark(script: str) -> str:
    """The first line of a page that a script makes as a whole, by which `write_page` knows its own pages."""
    return f"<!-- Made by {script}, which replaces it. -->"


def write_page(path: str | Path, script: str, text: str) -> None:
    """Writes a page that a script makes as a whole; what that script wrote there before is replaced, and nothing else.

    Args:
        path: the Markdown file to write.
        script: the script, from the repository's root.
        text: the page, which begins with the script's `mark`.

    Raises:
        UserError: the file is there and does not begin with the mark, or it cannot be written.
    """
    path, first = Path(path), mark(script)
    if path.exists() and (path.is_dir() or path.read_bytes().split(b"\n")[0].strip() != first.encode()):
        raise UserError(
            f"{path} exists already and is no page of {script}, whose first line is {first}: choose another output, or "
            "move the file away"
        )
    write_text(path, text, overwrite=True)


def replace_between_markers(path: str | Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- table:NAME -->` and `<!-- /table:NAME -->`; the rest of the file stays.

    Args:
        path: a Markdown file.
        name: the marker's NAME.
        text: what to put there, on lines of its own.

    Raises:
        UserError: the file is missing or not UTF-8, or a marker is missing, comes twice or comes in the wrong order.
    """
    path = Path(path)
    start, end = f"<!-- table:{name} -->", f"<!-- /table:{name} -->"
    try:
        content = path.read_bytes().decode()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: write it first, with the lines {start} and {end}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a UTF-8 text ({error})") from None
    counts = content.count(start), content.count(end)
    if counts != (1, 1) or content.index(start) > content.index(end):
        raise UserError(
            f"{path} needs the lines {start} and {end} once each, in this order; it has {counts[0]} and {counts[1]}"
        )
    before, rest = content.split(start)
    after = rest.split(end)[1]
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(f"{before}{start}\n{text.strip()}\n{end}{after}".encode())
