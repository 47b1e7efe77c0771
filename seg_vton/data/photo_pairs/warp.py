"""The known warp between the person's frame and the garment's: CP-VTON's thin-plate spline, and its inverse.

The spline goes from the person's frame to the garment's, `g(p) = B(p) Q` with `Q = P + theta` (Wang et al., ECCV 2018;
`seg_vton.tryon.models.tps`), as GMM predicts it: `warped(p) = cloth(g(p))`. The garment is laid out by the inverse,
`cloth(u) = person(g^-1(u))`, so theta is the exact answer to what GMM is asked.
"""

from functools import lru_cache

import cv2
import numpy as np

from seg_vton.tryon.datasets.transforms import WARP_GRID
from seg_vton.tryon.models.tps import control_points, pixel_centers, tps_basis

LARGEST = 0.97
"""The largest offset of a control point, in units of [-1, 1]: GMM's ends in a tanh."""

FILL = (0.80, 0.92)
"""The share of the frame that the laid-out garment takes, in the direction that it fills more."""

_CENTER, _STRETCH, _TILT, _BEND = 0.04, 0.06, 3.0, 0.05  # spread of shift, of aspect, in degrees, of control points
_ROUNDS = 30
_CLOSE = 0.01  # pixels


def draw_theta(
    rng: np.random.Generator, mask: np.ndarray, tilt: float, strength: float = 1.0
) -> np.ndarray:  # (50,) as GMM predicts it
    """Draws the warp that lays a garment out: upright, in the middle, filling the frame, and a little bent.

    Args:
        rng: source of the random numbers; the same count is drawn whatever the garment is.
        mask: bool `(H, W)`, the garment in the person's frame.
        tilt: by how many degrees the person leans, clockwise in the picture.
        strength: of the random part; 0 leaves the upright garment in the middle.

    Returns:
        float32 `(50,)`: offsets of the 5 x 5 control points in x, then in y, x the slow index, in units of [-1, 1]; at
        most `LARGEST`, and without folds. A garment that is small or far from the middle fills less of its frame.
    """
    noise = rng.normal(size=4) * strength
    coarse = rng.uniform(-1, 1, (2, 3, 3)) * _BEND * strength
    fill = float(rng.uniform(*FILL))
    bend = np.stack([cv2.resize(plane, (WARP_GRID, WARP_GRID), interpolation=cv2.INTER_CUBIC) for plane in coarse])
    points = control_points(WARP_GRID).numpy()
    angle = np.deg2rad(-tilt + _TILT * np.clip(noise[0], -2, 2))
    stretch = np.exp(_STRETCH * np.clip(noise[1], -1.5, 1.5))
    shift = _CENTER * np.clip(noise[2:], -1.5, 1.5)
    for shrink in 0.95 ** np.arange(60):  # to a twentieth, far below any need
        laid = _lay_out(points, mask, angle, fill * shrink, stretch, shift) + shrink * bend.reshape(2, -1).T
        theta = laid - points
        if np.abs(theta).max() <= LARGEST and not _folds(theta, mask.shape):
            break
    else:
        theta = np.zeros_like(points)
    return theta.T.reshape(-1).astype(np.float32)


def _lay_out(
    points: np.ndarray, mask: np.ndarray, angle: float, fill: float, stretch: float, shift: np.ndarray
) -> np.ndarray:
    """Where points of the person's frame go: turned by an angle, scaled to fill, the garment's middle in the middle."""
    half = (np.array(mask.shape[::-1]) - 1) / 2  # of the frame in pixels: turning is right in pixels alone
    x, y = np.nonzero(mask)[::-1]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [[stretch], [1 / stretch]]
    turned = (np.column_stack([x, y]) - half) @ turn.T
    low, high = turned.min(0), turned.max(0)
    scale = fill * (2 * half / (high - low + 1)).min()
    return ((points * half) @ turn.T - (low + high) / 2) * scale / half + shift


@lru_cache(maxsize=4)
def _basis(size: tuple[int, int]) -> np.ndarray:
    return tps_basis(pixel_centers(size), WARP_GRID).numpy()


def forward_map(theta: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The spline at every pixel of the person's frame: float32 `(H, W, 2)`, x and y in pixels of the garment's."""
    targets = control_points(WARP_GRID).numpy() + theta.reshape(2, -1).T
    unit = (_basis(size) @ targets.astype(np.float32)).reshape(*size, 2)
    return (unit + 1) / 2 * np.array([size[1] - 1, size[0] - 1], np.float32)


def _folds(theta: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the spline of offsets `(25, 2)` turns a part of the person's frame over, or nearly flattens it."""
    small = (max(16, size[0] // 8), max(16, size[1] // 8))
    mapped = forward_map(theta.T.reshape(-1), small)
    along_y, along_x = np.gradient(mapped, axis=(0, 1))
    return bool((along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]).min() < 0.1)


def inverse_map(theta: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The spline's inverse at every pixel of the garment's frame.

    The spline is nearly affine, `g(p) = A p + b + r(p)` with a small r, so `p <- A^-1 (u - b - r(p))` closes in on
    `g(p) = u`. Beyond the person's frame r is taken from its edge; the garment is not there.

    Returns:
        float32 `(H, W, 2)`: x and y in pixels of the person's frame; may lie beyond it.
    """
    forward = forward_map(theta, size)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    affine, *_ = np.linalg.lstsq(
        np.column_stack([x.ravel(), y.ravel(), np.ones(x.size, np.float32)]), forward.reshape(-1, 2), rcond=None
    )
    linear, offset = affine[:2].astype(np.float32), affine[2].astype(np.float32)
    pixels = np.stack([x, y], axis=2)
    rest = forward - pixels @ linear - offset
    back = np.linalg.inv(linear).astype(np.float32)
    found = (pixels - offset) @ back
    for _ in range(_ROUNDS):
        before = found
        found = (pixels - offset - sample(rest, before, cv2.BORDER_REPLICATE)) @ back
        if np.abs(found - before).max() < _CLOSE:
            break
    return found


def lay_out(photo: np.ndarray, mask: np.ndarray, theta: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Moves the garment to its own frame, on white: RGB uint8 `(H, W, 3)` and its mask, bool `(H, W)`.

    Args:
        photo: RGB uint8 `(h, w, 3)`, the person's frame at any resolution.
        mask: bool `(h, w)`, the garment.
        theta: `(50,)`, the warp from the person's frame to the garment's.
        size: (height, width) of the garment's picture.
    """
    scale = np.array([photo.shape[1] / size[1], photo.shape[0] / size[0]], np.float32)
    places = (inverse_map(theta, size) + np.float32(0.5)) * scale - np.float32(0.5)  # a pixel's middle stays one
    # Weighted by the mask, so that no background mixes with the garment's edge.
    weighted = np.dstack([photo * mask[..., None], mask * np.float32(1)]).astype(np.float32)
    sampled = sample(weighted, places)
    share = sampled[..., 3:]
    color = sampled[..., :3] / np.maximum(share, 1e-6)
    cloth = np.where(share > 0, color * share + 255 * (1 - share), 255)
    return cloth.round().clip(0, 255).astype(np.uint8), share[..., 0] >= 0.5


def sample(image: np.ndarray, places: np.ndarray, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    """An image `(H, W)` or `(H, W, C)` at places `(h, w, 2)` in its pixels, bilinear; 0 beyond unless `border` says."""
    return cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=border)
