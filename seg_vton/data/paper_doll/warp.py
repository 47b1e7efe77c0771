"""The deformation from the flat garment to the person, as backward maps for `cv2.remap`.

The torso follows a thin-plate spline through matched landmarks (Bookstein, "Principal warps", PAMI 1989), as CP-VTON's
geometric matching module assumes; each sleeve follows the arm, by arc length along it and distance across it.
"""

import cv2
import numpy as np

from seg_vton.data.paper_doll.canvas import Patch
from seg_vton.data.paper_doll.shapes import arc_length

_COARSE = 4  # pixels between two evaluations of the spline; it is smooth, so the rest is interpolated


class ThinPlateSpline:
    """The interpolating thin-plate spline that takes `source` (N, 2) to `target` (N, 2)."""

    def __init__(self, source: np.ndarray, target: np.ndarray) -> None:
        self._knots = np.asarray(source, np.float64)
        count = len(self._knots)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = self._kernel(self._knots) + 1e-3 * np.eye(count)
        system[:count, count] = system[count, :count] = 1
        system[:count, count + 1 :] = self._knots
        system[count + 1 :, :count] = self._knots.T
        right = np.concatenate([np.asarray(target, np.float64), np.zeros((3, 2))])
        self._weights = np.linalg.solve(system, right)

    def _kernel(self, points: np.ndarray) -> np.ndarray:
        square = ((points[:, None, :] - self._knots[None, :, :]) ** 2).sum(-1)
        return square * np.log(np.maximum(square, 1e-12))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Images (M, 2) of `points` (M, 2)."""
        count = len(self._knots)
        affine = self._weights[count] + points @ self._weights[count + 1 :]
        return affine + self._kernel(points) @ self._weights[:count]

    def over(self, left: int, top: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y images, each (height, width) float32, of the pixel centers of a window."""
        columns, rows = width // _COARSE + 2, height // _COARSE + 2
        # cv2.resize puts coarse sample i at fine position (i + .5) * step - .5 from the window's corner.
        x = left + (np.arange(columns) + 0.5) * _COARSE
        y = top + (np.arange(rows) + 0.5) * _COARSE
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        coarse = self(grid).reshape(rows, columns, 2).astype(np.float32)
        fine = cv2.resize(coarse, (columns * _COARSE, rows * _COARSE), interpolation=cv2.INTER_LINEAR)
        return fine[:height, :width, 0], fine[:height, :width, 1]


def along_and_across(line: np.ndarray, patch: Patch) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of a window's pixels in the frame of a polyline (N, 2) in pixels, each (h, w) float32.

    For each pixel the arc length of the nearest point of the line, and the distance to it in pixels, positive on the
    side of `shapes.normals`.
    """
    x, y = patch.pixel_centers()
    lengths = arc_length(line).astype(np.float32)
    line = line.astype(np.float32)
    best = np.full(patch.alpha.shape, np.inf, np.float32)
    along, across = np.zeros_like(best), np.zeros_like(best)
    for i in range(len(line) - 1):
        dx, dy = line[i + 1] - line[i]
        length = max(float(np.hypot(dx, dy)), 1e-6)
        dx, dy = dx / length, dy / length
        u = (x - line[i, 0]) * dx + (y - line[i, 1]) * dy
        v = (x - line[i, 0]) * dy - (y - line[i, 1]) * dx
        first, last = i == 0, i == len(line) - 2
        inside = np.clip(u, -np.inf if first else 0, np.inf if last else length)
        square = v * v + (u - inside) ** 2
        nearer = square < best
        best = np.where(nearer, square, best)
        along = np.where(nearer, lengths[i] + inside, along)
        across = np.where(nearer, np.copysign(np.sqrt(square), v), across)
    return along, across


def quad_map(quad: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear point of a quadrilateral: x and y, float32 of the shape of `u`.

    The corners (4, 2) are start at v=-1, end at v=-1, end at v=1, start at v=1; `u` goes from 0 at the start to 1 at
    the end, `v` from -1 to 1 across.
    """
    w = (v + 1) * np.float32(0.5)
    weights = [(1 - u) * (1 - w), u * (1 - w), u * w, (1 - u) * w]
    x, y = (sum(weight * corner for weight, corner in zip(weights, axis, strict=True)) for axis in np.float32(quad).T)
    return x, y


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of `image` at float32 coordinates (pixel i covers [i, i + 1)); the border is repeated."""
    return cv2.remap(image, x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
