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

Element = tuple[int, bytes]
"""Type and content of a data element."""


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
        for variable, parts in _variables(path.read_bytes()):
            if variable == name:
                return _value(parts)
            found.append(variable)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, struct.error, zlib.error, RecursionError) as error:
        raise UserError(f"{path} is not a whole MATLAB 5 file ({error}): download it again") from None
    raise UserError(f"{path} has no variable {name!r}, it has: {', '.join(found) or 'none'}")


def _variables(data: bytes) -> Iterator[tuple[str, list[Element]]]:
    """Yields name and parts of each variable."""
    if data[126:_HEADER_BYTES] != b"IM":  # the letters tell the byte order, too
        raise ValueError("the header of 128 bytes is missing or of another version")
    for kind, content in _elements(data[_HEADER_BYTES:]):
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(content, _MAX_BYTES)
            if not unpacker.eof:
                raise ValueError("a compressed block is cut off or too large")
            kind, content = next(_elements(unpacked), (0, content))
        if kind != _MATRIX:
            raise ValueError(f"a variable is of type {kind}, not a matrix")
        parts = _parts(content)
        yield parts[2][1].decode("latin-1"), parts


def _elements(data: bytes) -> Iterator[Element]:
    """Yields type and content of one data element after another; each must lie inside the block."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from("<II", data, position)
        start, padded = position + 8, -(-size // 8) * 8
        if kind >> 16:  # small element: type and size in the first word, up to four bytes of content in the second
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, position + 4, 4
        if size > (4 if padded == 4 else size) or start + size > len(data):
            raise ValueError("an element is longer than the file")
        yield kind, data[start : start + size]
        position = start + (size if kind == _COMPRESSED else padded)


def _parts(matrix: bytes) -> list[Element]:
    """The elements of a matrix: flags, shape, name, and then its values, or the matrices of a cell array."""
    parts = list(_elements(matrix))
    if len(parts) < 3:
        raise ValueError("a matrix is cut off")
    return parts


def _value(parts: list[Element]) -> Any:
    """The value of a matrix of these parts."""
    (_, flags), (_, shape), _, *values = parts
    kind = struct.unpack_from("<I", flags)[0] & 0xFF
    sizes = np.frombuffer(shape[: len(shape) // 4 * 4], "<i4").tolist()
    if kind == _CELL:
        if odd := {number for number, _ in values} - {_MATRIX}:
            raise ValueError(f"a cell is of type {odd.pop()}, not a matrix")
        return [_value(_parts(cell)) if cell else np.zeros((0, 0)) for _, cell in values]  # empty ones have no content
    stored, data = values[0] if values else (0, b"")
    if kind == _CHAR and stored in _TEXT:
        return data.decode(_TEXT[stored])
    if kind not in _NUMERIC or stored not in _STORED:
        raise ValueError(f"a matrix of class {kind} stored as type {stored} is not supported")
    dtype = np.dtype(f"<{_STORED[stored]}")
    if not 0 < len(sizes) <= 32 or min(sizes) < 0 or len(data) != math.prod(sizes) * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes do not fill an array of {sizes}")
    return np.frombuffer(data, dtype).reshape(sizes, order="F").copy()  # MATLAB writes column by column
