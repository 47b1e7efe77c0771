"""A small reader of MATLAB 5 files, little-endian: numeric arrays, texts and cells, with every length checked.

scipy's reader takes lengths from the file on trust and can bring the process down on a damaged one; annotation files
come from strangers, so they are read here. Format: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seg_vton.errors import UserError

_HEADER_BYTES = 128
_MAX_BYTES = 1 << 28  # a label map of 16000 x 16000; what unpacks to more is no annotation
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}
_CELL, _CHAR = 1, 4
_NUMERIC = range(6, 16)


class _BrokenMatError(ValueError):
    """The bytes are not a MATLAB 5 file that this reader knows."""


def read_mat(path: str | Path, name: str) -> Any:
    """Reads one variable of a MATLAB 5 file.

    Returns:
        A numeric array of the dtype that it is stored in (MATLAB stores small whole doubles as uint8, and scipy shows
        them so too), a text as str, a cell array as a flat list.

    Raises:
        UserError: the file is missing or broken, of another version (7.3 is HDF5), or has no such variable.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    found = []
    try:
        for variable, content in _variables(path.read_bytes()):
            if variable == name:
                return _value(content)
            found.append(variable)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (_BrokenMatError, struct.error, zlib.error, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not a whole MATLAB 5 file ({error}): download it again") from None
    raise UserError(f"{path} has no variable {name!r}, it has: {', '.join(found) or 'none'}")


def _variables(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields name and matrix element of each variable."""
    if data[126:_HEADER_BYTES] != b"IM":  # the letters tell the byte order, too
        raise _BrokenMatError("the header of 128 bytes is missing or of another version")
    for kind, content in _elements(data[_HEADER_BYTES:]):
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(content, _MAX_BYTES)
            if not unpacker.eof:
                raise _BrokenMatError("a compressed block is cut off or too large")
            kind, content = next(_elements(unpacked), (0, content))
        if kind != _MATRIX:
            raise _BrokenMatError(f"a variable is of type {kind}, not a matrix")
        parts = _elements(content)
        _part(parts)
        _part(parts)
        yield _part(parts)[1].decode("latin-1"), content


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields type and content of one data element after another; each must lie inside the block."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from("<II", data, position)
        start, padded = position + 8, -(-size // 8) * 8
        if kind >> 16:  # small element: type and size in the first word, up to four bytes of content in the second
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, position + 4, 4
        if size > (4 if padded == 4 else size) or start + size > len(data):
            raise _BrokenMatError("an element is longer than the file")
        yield kind, data[start : start + size]
        position = start + (size if kind == _COMPRESSED else padded)


def _part(parts: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The next element of a matrix."""
    part = next(parts, None)
    if part is None:
        raise _BrokenMatError("a matrix is cut off")
    return part


def _value(content: bytes) -> Any:
    """The value of a matrix element."""
    parts = _elements(content)
    flags, shape = _part(parts)[1], _part(parts)[1]
    _part(parts)  # the name
    kind = struct.unpack_from("<I", flags)[0] & 0xFF
    sizes = np.frombuffer(shape[: len(shape) // 4 * 4], "<i4").tolist()
    if kind == _CELL:
        cells = list(parts)
        if odd := {number for number, _ in cells} - {_MATRIX}:
            raise _BrokenMatError(f"a cell is of type {odd.pop()}, not a matrix")
        return [_value(cell) if cell else np.zeros((0, 0)) for _, cell in cells]  # empty ones have no content
    stored, values = _part(parts)
    if kind == _CHAR and stored in _TEXT:
        return values.decode(_TEXT[stored])
    if kind not in _NUMERIC or stored not in _STORED:
        raise _BrokenMatError(f"a matrix of class {kind} stored as type {stored} is not supported")
    dtype = np.dtype(f"<{_STORED[stored]}")
    if not 0 < len(sizes) <= 32 or min(sizes) < 0 or len(values) != math.prod(sizes) * dtype.itemsize:
        raise _BrokenMatError(f"{len(values)} bytes do not fill an array of {sizes}")
    return np.frombuffer(values, dtype).reshape(sizes, order="F").copy()  # MATLAB writes column by column
