"""Seeded faults of files: bytes cut off, turned, blanked or put in; sizes that lie; JSON with other values."""

import json
import math
import struct
import zlib
from copy import deepcopy


def cut(rng, content):
    """Cut off."""
    return content[: rng.randrange(len(content))]


def flip(rng, content):
    """Some bits turned."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 20)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def blank(rng, content):
    """A stretch of zeros."""
    start = rng.randrange(len(content))
    length = min(rng.randint(1, 200), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def insert(rng, content):
    """Bytes that are not UTF-8 put in."""
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randint(1, 50)) + b"\xff\xfe" + content[place:]


def empty(rng, content):
    """Nothing."""
    return b""


def other_kind(rng, content):
    """Another kind of file."""
    return rng.choice(
        [b"<!DOCTYPE html>404", b"GIF89a\x01\x00\x01\x00", b"%PDF-1.4\n", content[::-1], b"\x80\x02}q\x00."]
    )


BYTES = (cut, flip, flip, blank, insert, empty, other_kind)


def png_size(rng, content):
    """A PNG whose header declares another size, checksum and all."""
    size = rng.choice([(50_000, 50_000), (2**31 - 1, 2**31 - 1), (0, 7), (1, 100_000), (20_000, 9_000), (40, 40)])
    header = b"IHDR" + struct.pack(">II", *size) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def jpeg_size(rng, content):
    """A JPEG whose frame header declares another size."""
    place = content.index(b"\xff\xc0") + 5
    size = rng.choice([(65_535, 65_535), (0, 10), (65_000, 40), (16, 16), (8_000, 8_000)])
    return content[:place] + struct.pack(">HH", *size) + content[place + 4 :]


VALUES = (
    None, True, -1, 0, 0.5, 10**30, 1e308, math.nan, math.inf, "", "x", "\x00", "../../..", [], {}, [[]], [None] * 4,
    [0, 0, 1e30, 1e30], {"counts": "0" * 50, "size": [1, 1]}, "9" * 100,
)  # fmt: skip


def _places(value, found):
    """Every container in a JSON value with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        _places(value[key], found)
    return found


def json_value(rng, content):
    """A JSON text with one to three values removed, doubled or replaced by others."""
    value = deepcopy(json.loads(content))
    for _ in range(rng.randint(1, 3)):
        places = _places(value, [])
        if not places:
            break
        owner, key = rng.choice(places)
        how = rng.random()
        if how < 0.2:
            del owner[key]
        elif how < 0.35 and isinstance(owner, list):
            owner.append(deepcopy(owner[key]))
        else:
            owner[key] = deepcopy(rng.choice(VALUES))
    return json.dumps(value).encode()


def json_nested(rng, content):
    """Lists in lists, deeper than a parser goes."""
    return b"[" * 100_000


def number_of_thousands_of_digits(rng, content):
    """A number that no parser turns into an int."""
    return content.replace(b": 1", b": " + b"1" * 10_000, 1)


JSON = (*BYTES, *[json_value] * 12, json_nested, number_of_thousands_of_digits)
