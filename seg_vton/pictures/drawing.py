"""Instances painted on a photograph, and panels put together to a figure.

mmdet's `DetLocalVisualizer` writes a name at the corner of every box, where the names of a dressed person's garments
cover one another and the garments. Here names stand at the photograph's edges, each tied to its mask by a line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

_MASK_OPACITY = 0.5
_GAP = 8  # pixels between panels
_INK: Color = (20, 20, 20)
_GRAY: Color = (90, 90, 90)


@dataclass(frozen=True)
class Instance:
    """One mask to paint."""

    name: str  # its class
    color: Color  # the class's RGB color in [0, 255]
    mask: np.ndarray  # bool `(H, W)` in the photograph's frame
    score: float | None = None  # of a prediction, in [0, 1]; None for ground truth

    @property
    def tag(self) -> str:
        """Name and score as they are written: `dress .93`."""
        return self.name if self.score is None else f"{self.name} {self.score:.2f}".replace(" 0.", " .")


@cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib carries, so that figures look the same everywhere."""
    import matplotlib  # here, since few who import this file write

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _fitting_font(text: str, size: int, width: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels, or smaller where `text` would be wider than `width` pixels."""
    length = _font(size, bold).getlength(text)
    return _font(max(7, min(size, int(size * width / length))) if length else size, bold)


def anchor(mask: np.ndarray) -> tuple[int, int]:
    """x and y of the pixel that is deepest inside a mask, bool `(H, W)` with at least one pixel."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    inner = mask[top : top + height, left : left + width]
    padded = np.pad(inner, 1).astype(np.uint8)  # the photograph's edge is an edge of the mask too
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return left + int(x), top + int(y)


def spread(wanted: Sequence[float], pitch: float, low: float, high: float) -> list[float]:
    """Moves rising positions apart to a distance of at least `pitch`, inside [low, high], as little as need be.

    There must be room: `(len(wanted) - 1) * pitch <= high - low`.
    """
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, placed[-1] + pitch if placed else low))
    ceiling = high
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - pitch
    return placed


def _paint_masks(photo: np.ndarray, instances: Iterable[Instance]) -> np.ndarray:
    """Fills the masks with their colors, in order, and draws thin outlines; `photo` is RGB `(H, W, 3)`."""
    painted = photo.copy()
    size = photo.shape[1::-1]
    for instance in instances:
        soft = cv2.resize(instance.mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        opacity = _MASK_OPACITY * soft[..., None]
        painted = (painted * (1 - opacity) + np.array(instance.color) * opacity).round().astype(np.uint8)
        outline, _ = cv2.findContours((soft >= 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(painted, outline, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return painted


def draw_instances(photo: np.ndarray, instances: Sequence[Instance], height: int) -> np.ndarray:
    """Paints instances and writes their names and scores: RGB uint8 `(height, W * height / H, 3)`.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        instances: masks in the photograph's frame; empty masks are left out. No more than one is held at a time, so a
            sequence may make them when they are asked for.
        height: of the panel in pixels; the width follows. Where there are more names than fit at the edges, those of
            the lowest scores are left out, and their number is written.
    """
    scale = height / photo.shape[0]
    size = (max(1, round(photo.shape[1] * scale)), height)
    photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    shown = []
    for index, one in enumerate(instances):
        area = np.count_nonzero(one.mask)
        if area:
            at = tuple(round((v + 0.5) * scale) for v in anchor(one.mask))
            shown.append((one.score or 0, area, index, (one.tag, one.color, at)))
    shown.sort(key=lambda seen: -seen[0])
    largest_first = sorted(shown, key=lambda seen: -seen[1])
    painted = _paint_masks(photo, (instances[index] for _, _, index, _ in largest_first))
    return _write_tags(painted, [tag for *_, tag in shown])


def _write_tags(panel: np.ndarray, tags: Sequence[tuple[str, Color, tuple[int, int]]]) -> np.ndarray:
    """Writes (text, color, (x, y)) at the panel's left and right edges, with a line to each (x, y)."""
    height, width = panel.shape[:2]
    font = _font(max(9, height // 42))
    size, swatch = font.size, round(0.4 * font.size)
    pitch = round(1.7 * size)
    capacity = max(1, (height - 8) // pitch)
    by_x = sorted(tags[: 2 * capacity], key=lambda tag: tag[2][0])
    half = (len(by_x) + 1) // 2
    plates = []
    for right, side in enumerate((by_x[:half], by_x[half:])):
        side = sorted(side, key=lambda tag: tag[2][1])
        middles = spread([y for *_, (_, y) in side], pitch, 4 + pitch / 2, height - 4 - pitch / 2)
        for (text, color, at), middle in zip(side, map(round, middles), strict=True):
            length = round(font.getlength(text) + 2.1 * size)
            x = width - 4 - length if right else 4
            for ink, thickness in (((255, 255, 255), 3), (color, 1)):
                cv2.line(panel, (x if right else x + length, middle), at, ink, thickness, cv2.LINE_AA)
            cv2.circle(panel, at, 3, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(panel, at, 2, color, -1, cv2.LINE_AA)
            plates.append((text, color, x, length, middle))
    image = Image.fromarray(panel)
    draw = ImageDraw.Draw(image)
    for text, color, x, length, middle in plates:
        top, bottom = middle - round(0.75 * size), middle + round(0.75 * size)
        draw.rounded_rectangle((x, top, x + length, bottom), size // 4, "white", color)
        draw.rectangle((x + swatch, middle - swatch, x + 3 * swatch, middle + swatch), color)
        draw.text((x + 4 * swatch, middle), text, _INK, font, "lm")
    if more := len(tags) - len(plates):
        draw.text((width // 2, height - 4), f"{more} more", "white", font, "mb", stroke_width=2, stroke_fill="black")
    return np.array(image)


def sheet(titles: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]], footer: str) -> np.ndarray:
    """Puts panels together: a column for each title, a row for each photograph; RGB uint8 `(H, W, 3)`.

    Args:
        titles: what stands above the columns.
        rows: caption and panels, RGB uint8 of one height, as many as titles.
        footer: what stands below.
    """
    height = max(panel.shape[0] for _, panels in rows for panel in panels)
    cell = max(panel.shape[1] for _, panels in rows for panel in panels)
    title_size, caption_size = max(12, height // 28), max(10, height // 44)
    top, caption_height = 2 * title_size, 2 * caption_size
    width = len(titles) * (cell + _GAP) + _GAP
    total = top + len(rows) * (height + caption_height) + (2 * caption_size if footer else 0)
    image = Image.new("RGB", (width, total), "white")
    draw = ImageDraw.Draw(image)
    for column, title in enumerate(titles):
        middle = _GAP + column * (cell + _GAP) + cell // 2
        draw.text((middle, top // 2), title, _INK, _fitting_font(title, title_size, cell, bold=True), "mm")
    for index, (caption, panels) in enumerate(rows):
        y = top + index * (height + caption_height)
        for column, panel in enumerate(panels):
            x = _GAP + column * (cell + _GAP) + (cell - panel.shape[1]) // 2
            image.paste(Image.fromarray(panel), (x, y))
        draw.text((_GAP, y + height + caption_height // 2), caption, _GRAY, _font(caption_size), "lm")
    if footer:
        font = _fitting_font(footer, caption_size, width - 2 * _GAP)
        draw.text((width - _GAP, total - caption_size), footer, _GRAY, font, "rm")
    return np.array(image)


def grid(
    cells: Sequence[Sequence[tuple[str, np.ndarray]]], footer: str = "", legend: Sequence[tuple[str, Color]] = ()
) -> np.ndarray:
    """Puts small pictures together, each under its caption: RGB uint8.

    Args:
        cells: rows of (caption, RGB uint8 `(H, W, 3)`), all pictures of one size.
        footer: what stands below.
        legend: names and colors to explain, below the pictures.
    """
    height, width = cells[0][0][1].shape[:2]
    size = max(11, height // 20)
    line, columns = round(1.7 * size), max(map(len, cells))
    total_width = columns * (width + _GAP) + _GAP
    swatches = _legend_places(legend, size, total_width)
    top = len(cells) * (height + line + _GAP)
    legend_lines = 1 + max((row for row, _ in swatches), default=-1)
    canvas = Image.new("RGB", (total_width, top + line * (legend_lines + bool(footer)) + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for row, entries in enumerate(cells):
        for column, (caption, picture) in enumerate(entries):
            x, y = _GAP + column * (width + _GAP), row * (height + line + _GAP)
            draw.text((x + width // 2, y + line // 2), caption, _INK, _fitting_font(caption, size, width), "mm")
            canvas.paste(Image.fromarray(picture), (x, y + line))
    for (name, color), (row, x) in zip(legend, swatches, strict=True):
        middle = top + row * line + line // 2
        draw.rectangle((x, middle - size // 2, x + size, middle + size // 2), color, _GRAY)
        draw.text((x + round(1.4 * size), middle), name, _INK, _font(size), "lm")
    if footer:
        font = _fitting_font(footer, size, total_width - 2 * _GAP)
        draw.text((_GAP, top + line * legend_lines + line // 2), footer, _GRAY, font, "lm")
    return np.array(canvas)


def _legend_places(legend: Sequence[tuple[str, Color]], size: int, width: int) -> list[tuple[int, int]]:
    """Line and x of each entry of a legend that is broken into lines of at most `width` pixels."""
    places, row, x = [], 0, _GAP
    for name, _ in legend:
        length = round(_font(size).getlength(name) + 1.4 * size)
        if x > _GAP and x + length > width - _GAP:
            row, x = row + 1, _GAP
        places.append((row, x))
        x += length + size
    return places
