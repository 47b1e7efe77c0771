"""From what the models say at their size to the try-on at the photo's resolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from seg_vton.data.photo_pairs.crop import Box, crop
from seg_vton.labels import DEEPFASHION15
from seg_vton.parsing.label_map import regions
from seg_vton.tryon.models.gmm import GMM

_STRIP_PIXELS = 1 << 17  # computed at once: memory does not grow with the photo
_NEW = 0.1  # from this value of the composition mask on, the new garment is seen
_MARGIN = 1 / 64  # of the models' height, by which what changes is widened


class Composition(NamedTuple):
    """A try-on at the photo's resolution.

    Attributes:
        image: RGB uint8 `(H, W, 3)`, the photo; bit for bit outside the window, and where nothing changes.
        warped_cloth: RGB uint8 `(h, w, 3)`: the warped garment in the window.
        mask: uint8 `(h, w)`: the composition mask in the window, 255 is 1.
    """

    image: np.ndarray
    warped_cloth: np.ndarray
    mask: np.ndarray


def changed_region(parse: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Where the try-on has to differ from the photo: the old garment and the new one, a little widened.

    What a shorter sleeve bares was the old garment; what a longer one covers is the new one. Head, bare arms and
    background are the photo's: the models are given the head to keep, and know no more of the others.

    Args:
        parse: uint8 ids of `deepfashion15` `(h, w)`, of the person in their own clothes.
        mask: float `(h, w)` in [0, 1], the composition mask.

    Returns:
        float32 `(h, w)` in [0, 1], soft at the edges.
    """
    seen = regions(parse, DEEPFASHION15.name)
    margin = max(1, round(_MARGIN * parse.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    changed = cv2.dilate((seen.upper | (mask > _NEW)).astype(np.uint8), kernel) * ~seen.head
    return cv2.GaussianBlur(changed.astype(np.float32), (0, 0), margin / 2)


def compose(
    photo: np.ndarray,
    box: Box,
    garment: np.ndarray,
    gmm: GMM,
    outputs: dict[str, Tensor],
    changed: np.ndarray | None = None,
) -> Composition:
    """Puts the try-on into the photo.

    The spline is evaluated at each pixel of the window and the garment sampled from its full-size picture; what TOM
    rendered and its mask are enlarged; both are composed at the window's own resolution, some rows at a time.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        box: the person's window; it may reach beyond the photo.
        garment: RGB uint8 `(h, w, 3)`, the garment in its window.
        gmm: whose spline it is.
        outputs: `theta` `(1, 2 N)`, `rendered` `(1, 3, h, w)` in [-1, 1] and `mask` `(1, 1, h, w)` in [0, 1].
        changed: float32 `(h, w)` in [0, 1]: the share of the try-on in the result; None for all of it.

    Returns:
        The result and its parts.
    """
    size = box.height, box.width
    window = crop(photo, box, cv2.BORDER_REPLICATE)
    result = Composition(photo.copy(), np.empty((*size, 3), np.uint8), np.empty(size, np.uint8))
    source = _as_levels(_shrunk(garment, box.height), gmm)
    layers = _layers(outputs, changed)
    for rows, pixels in _strips(size):
        warped = warp_at(gmm, outputs["theta"], source, pixels)
        rendered, mask, share = (
            F.grid_sample(layers, pixels.to(layers)[None], padding_mode="border", align_corners=False)
        ).split([3, 1, 1], dim=1)
        try_on = torch.lerp(rendered, warped, mask)
        before = _as_levels(window[rows], gmm)
        result.warped_cloth[rows] = _as_picture(warped)
        result.mask[rows] = _as_picture(255 * mask)[..., 0]
        window[rows] = _as_picture(torch.lerp(before, try_on, share))
    _paste(result.image, window, box)
    return result


def _paste(image: np.ndarray, window: np.ndarray, box: Box) -> None:
    """Writes the part of a window that lies in the image into it."""
    top, left = max(box.top, 0), max(box.left, 0)
    part = image[top : box.top + box.height, left : box.left + box.width]
    part[:] = window[top - box.top :, left - box.left :][: part.shape[0], : part.shape[1]]


def warp_at(gmm: GMM, theta: Tensor, garment: Tensor, pixels: Tensor) -> Tensor:
    """Samples a garment of any size at the places that the spline says.

    The model's numbers are in the frame of its own images. A pixel is an area, and its centre in a picture twice the
    size is not the centre of the same pixel; that is taken into account, so that picture and warp stay in register.

    Args:
        gmm: whose spline it is.
        theta: `(1, 2 N)`.
        garment: `(1, C, h, w)`.
        pixels: float64 `(H, W, 2)` of (x, y): -1 and 1 are the edges of the person's window.

    Returns:
        `(1, C, H, W)`.
    """
    sides = torch.tensor(gmm.image_size[::-1], dtype=torch.float64)
    to_corners = sides / (sides - 1)  # the spline's -1 and 1 are the centres of the corner pixels
    grid = gmm.tps.at(theta, (pixels * to_corners).flatten(0, 1)).unflatten(1, pixels.shape[:2])
    if gmm.align_corners:
        grid = grid / to_corners.to(grid)
    return F.grid_sample(garment, grid.to(garment), padding_mode="border", align_corners=False)


def _strips(size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
    """Yields some rows of the window and their pixels' centres, float64 `(rows, W, 2)`; -1 and 1 are its edges."""
    height, width = size
    x = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    step = max(1, _STRIP_PIXELS // width)
    for first in range(0, height, step):
        last = min(first + step, height)
        y = (2 * torch.arange(first, last, dtype=torch.float64) + 1) / height - 1
        yield slice(first, last), torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=2)


def _shrunk(garment: np.ndarray, height: int) -> np.ndarray:
    """The garment no higher than the window: single samples of a much finer picture would be noise."""
    if garment.shape[0] <= height:
        return garment
    width = round(garment.shape[1] * height / garment.shape[0])
    return np.asarray(Image.fromarray(garment).resize((width, height), Image.Resampling.LANCZOS))


def _layers(outputs: dict[str, Tensor], changed: np.ndarray | None) -> Tensor:
    """Rendered person in levels, composition mask and share of the try-on: `(1, 5, h, w)`."""
    mask = outputs["mask"]
    share = torch.ones_like(mask) if changed is None else torch.from_numpy(changed).to(mask)[None, None]
    return torch.cat([(outputs["rendered"] + 1) * 127.5, mask, share], dim=1)


def _as_levels(picture: np.ndarray, gmm: GMM) -> Tensor:
    """uint8 `(H, W, 3)` as float32 `(1, 3, H, W)` in [0, 255] on the model's device."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).to(gmm.tps.points.device)
    return tensor.permute(2, 0, 1)[None].float()


def _as_picture(levels: Tensor) -> np.ndarray:
    """`(1, C, H, W)` in [0, 255] as uint8 `(H, W, C)`."""
    return levels[0].round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
