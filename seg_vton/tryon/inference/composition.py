"""From what the models say at their size to the try-on at the photo's resolution."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from seg_vton.labels import DEEPFASHION15
from seg_vton.parsing.label_map import regions
from seg_vton.pictures.crop import Box, crop
from seg_vton.pictures.inpainting import fill_hidden
from seg_vton.tryon.models.gmm import GMM

_STRIP_PIXELS = 1 << 17  # computed at once: memory does not grow with the photo
_MARGIN = 1 / 64  # of the models' height: labels are so far off at the edges of garments


@dataclass(frozen=True, eq=False)
class Composition:
    """A try-on at the photo's resolution."""

    image: np.ndarray  # RGB uint8 `(H, W, 3)`, the photo; bit for bit outside the window, and where nothing changes
    warped_cloth: np.ndarray  # RGB uint8 `(h, w, 3)`: the warped garment in the window
    # uint8 `(h, w)`: the composition mask in the window; 255 takes the warped garment, 0 what TOM rendered
    mask: np.ndarray


class Placement(NamedTuple):
    """How a try-on is laid over a photo, at the models' size, height h and width w."""

    rendered: np.ndarray  # RGB uint8 `(h, w, 3)`: the person that TOM rendered, whose colors go on beyond their outline
    # float32 `(h, w)` in [0, 1]: the share of the rendered person over the photo, 1 on the old garment
    replaced: np.ndarray
    free: np.ndarray  # float32 `(h, w)` in [0, 1]: the share of the composition mask that holds, 0 on the head


def place(parse: np.ndarray, rendered: Tensor, space: str = DEEPFASHION15.name) -> Placement:
    """Says where a try-on may differ from the photo; the shares are soft at the edges.

    The rendered person stands in for the old garment, a little widened, and for nothing else: what a shorter sleeve
    bares was that garment. Head, bare arms and background are the photo's, and only the new garment covers them. TOM
    knows no background (it is trained on persons before white), so none of what it renders there is taken.

    Args:
        parse: uint8 ids of `space` `(h, w)`, of the person in their own clothes.
        rendered: `(1, 3, h, w)` in [-1, 1], the person that TOM rendered.
        space: name of the label space.
    """
    seen = regions(parse, space)
    margin = max(1, round(_MARGIN * parse.shape[0]))
    replaced = cv2.dilate(seen.upper.astype(np.uint8), _disc(margin)).astype(bool) & seen.body & ~seen.head
    # The outline that TOM draws is soft and mixed with white: the colors further in stand in for it.
    inner = cv2.erode(seen.body.astype(np.uint8), _disc(margin)).astype(bool)
    picture = _as_picture(_rendered_levels(rendered))
    return Placement(
        rendered=fill_hidden(picture, inner, np.zeros_like(inner)) if inner.any() else picture,
        replaced=cv2.GaussianBlur(replaced.astype(np.float32), (0, 0), margin / 4),
        free=cv2.GaussianBlur((~seen.head).astype(np.float32), (0, 0), margin / 2),
    )


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def compose(
    photo: np.ndarray,
    box: Box,
    garment: np.ndarray,
    gmm: GMM,
    outputs: dict[str, Tensor],
    placement: Placement | None = None,
    garment_mask: np.ndarray | None = None,
) -> Composition:
    """Puts the try-on into the photo.

    The spline is evaluated at each pixel of the window and the garment sampled from its full-size picture; what TOM
    rendered and its mask are enlarged; all are composed at the window's own resolution, some rows at a time.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        box: the person's window; it may reach beyond the photo.
        garment: RGB uint8 `(h, w, 3)`, the garment in its window.
        gmm: whose spline it is.
        outputs: `theta` `(1, 2 N)`, `rendered` `(1, 3, h, w)` in [-1, 1] and `mask` `(1, 1, h, w)` in [0, 1].
        placement: how the try-on is laid over the photo; None puts the models' own in its place, all of the window.
        garment_mask: bool `(h, w)`: where the garment's picture shows the garment, the rest is see-through; None for
            everywhere, as in the models' own composition.
    """
    size = box.height, box.width
    window = crop(photo, box, cv2.BORDER_REPLICATE)
    result = Composition(photo.copy(), np.empty((*size, 3), np.uint8), np.empty(size, np.uint8))
    source = _see_through(garment, garment_mask, box.height, gmm)
    layers = _layers(outputs, placement)
    for rows, pixels in _strips(size):
        cloth, opacity = warp_at(gmm, outputs["theta"], source, pixels).split([3, 1], dim=1)
        rendered, mask, replaced, free = (
            F.grid_sample(layers, pixels.to(layers)[None], padding_mode="border", align_corners=False)
        ).split([3, 1, 1, 1], dim=1)
        below = torch.lerp(_as_levels(window[rows], gmm), rendered, replaced)
        share = mask * free
        result.warped_cloth[rows] = _as_picture(cloth + 255 * (1 - opacity))
        result.mask[rows] = _as_picture(255 * mask)[..., 0]
        window[rows] = _as_picture(below * (1 - share * opacity) + share * cloth)
    top, left = max(box.top, 0), max(box.left, 0)
    part = result.image[top : box.top + box.height, left : box.left + box.width]  # what of the window is in the photo
    part[:] = window[top - box.top :, left - box.left :][: part.shape[0], : part.shape[1]]
    return result


def warp_at(gmm: GMM, theta: Tensor, garment: Tensor, pixels: Tensor) -> Tensor:
    """Samples a garment of any size at the places that the spline says: `(1, C, H, W)`.

    The model's numbers are in the frame of its own images. A pixel is an area, and its center in a picture twice the
    size is not the center of the same pixel; that is taken into account, so that picture and warp stay in register.

    Args:
        gmm: whose spline it is.
        theta: `(1, 2 N)`.
        garment: `(1, C, h, w)`.
        pixels: float64 `(H, W, 2)` of (x, y): -1 and 1 are the edges of the person's window.
    """
    sides = torch.tensor(gmm.image_size[::-1], dtype=torch.float64)
    to_corners = sides / (sides - 1)  # the spline's -1 and 1 are the centers of the corner pixels
    grid = gmm.tps.at(theta, (pixels * to_corners).flatten(0, 1)).unflatten(1, pixels.shape[:2])
    if gmm.align_corners:
        grid = grid / to_corners.to(grid)
    return F.grid_sample(garment, grid.to(garment), padding_mode="border", align_corners=False)


def _strips(size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
    """Yields some rows of the window and their pixels' centers, float64 `(rows, W, 2)`; -1 and 1 are its edges."""
    height, width = size
    x = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    step = max(1, _STRIP_PIXELS // width)
    for first in range(0, height, step):
        last = min(first + step, height)
        y = (2 * torch.arange(first, last, dtype=torch.float64) + 1) / height - 1
        yield slice(first, last), torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=2)


def _see_through(garment: np.ndarray, mask: np.ndarray | None, height: int, gmm: GMM) -> Tensor:
    """Colors times opacity, and opacity: float32 `(1, 4, h, w)` in [0, 255] and [0, 1], on the model's device.

    The garment is no higher than the window: single samples of a much finer picture would be noise.
    """
    opacity = np.full(garment.shape[:2], 255, np.uint8) if mask is None else mask.astype(np.uint8) * 255
    picture = Image.fromarray(np.dstack([garment, opacity]))
    if picture.height > height:  # Pillow weighs the colors by their opacity
        picture = picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)
    levels = _as_levels(np.array(picture), gmm)
    levels[:, 3] /= 255
    levels[:, :3] *= levels[:, 3:]
    return levels


def _layers(outputs: dict[str, Tensor], placement: Placement | None) -> Tensor:
    """Rendered person in levels, composition mask, and a placement's two shares: `(1, 6, h, w)`."""
    mask = outputs["mask"]
    if placement is None:
        return torch.cat([_rendered_levels(outputs["rendered"]), mask, torch.ones_like(mask.repeat(1, 2, 1, 1))], dim=1)
    rendered = torch.from_numpy(placement.rendered).to(mask).permute(2, 0, 1)[None]
    shares = torch.from_numpy(np.stack([placement.replaced, placement.free])).to(mask)[None]
    return torch.cat([rendered, mask, shares], dim=1)


def _rendered_levels(rendered: Tensor) -> Tensor:
    """From [-1, 1] to [0, 255]."""
    return (rendered + 1) * 127.5


def _as_levels(picture: np.ndarray, gmm: GMM) -> Tensor:
    """uint8 `(H, W, C)` as float32 `(1, C, H, W)` in [0, 255] on the model's device."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).to(gmm.tps.points.device)
    return tensor.permute(2, 0, 1)[None].float()


def _as_picture(levels: Tensor) -> np.ndarray:
    """`(1, C, H, W)` in [0, 255] as uint8 `(H, W, C)`."""
    return levels[0].round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
