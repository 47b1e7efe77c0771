"""How long an item's person representation takes: as CP-VTON's published code makes it, and as ours.

Both start from decoded pictures, so that the time of JPEG decoding, the same for both, hides nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torchvision.transforms import Compose, Normalize, ToTensor

from seg_vton.analysis.timing import compared, interleave
from seg_vton.data.paper_doll import draw_doll
from seg_vton.labels import DEEPFASHION15, Unions
from seg_vton.tryon.datasets.dataset import person_inputs

PUBLISHED = "a Pillow picture a joint"
OURS = "seg_vton"
_GRAY, _COLOR = (Compose([ToTensor(), Normalize([0.5] * n, [0.5] * n)]) for n in (1, 3))


def published_inputs(
    photo: Image.Image, parse: np.ndarray, joints: np.ndarray, unions: Unions, radius: int = 5
) -> dict[str, torch.Tensor]:
    """What the models get of a person in the operations of CP-VTON's data loader (Wang et al., ECCV 2018).

    Args:
        photo: RGB picture.
        parse: uint8 ids `(H, W)` of the photo's size.
        joints: float64 `(18, 2)`, x and y in pixels.
        unions: of the label space of `parse`.
        radius: of the squares that mark joints, in pixels.

    Returns:
        `image`, `agnostic`, `parse_cloth` and `parse_cloth_mask`; see `seg_vton.tryon.datasets.TryOnDataset`.
    """
    image = _COLOR(photo)
    head, worn = (torch.from_numpy(_sum_of_labels(parse, ids)) for ids in (unions.head, unions.upper))
    parts = [_blurred_silhouette(parse), image * head - (1 - head)]
    parts += [_joint_map(x, y, photo.size, radius) for x, y in joints]
    return {
        "image": image,
        "agnostic": torch.cat(parts),
        "parse_cloth": image * worn + (1 - worn),
        "parse_cloth_mask": worn[None],
    }


def _sum_of_labels(parse: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    return np.sum([(parse == i).astype(np.float32) for i in ids], axis=0)


def _blurred_silhouette(parse: np.ndarray) -> torch.Tensor:
    height, width = parse.shape
    silhouette = Image.fromarray(((parse > 0).astype(np.float32) * 255).astype(np.uint8))
    small = silhouette.resize((width // 16, height // 16), Image.Resampling.BILINEAR)
    return _GRAY(small.resize((width, height), Image.Resampling.BILINEAR))


def _joint_map(x: float, y: float, size: tuple[int, int], radius: int) -> torch.Tensor:
    picture = Image.new("L", size)
    if x > 1 and y > 1:
        ImageDraw.Draw(picture).rectangle((x - radius, y - radius, x + radius, y + radius), "white", "white")
    return _GRAY(picture)


def run_data_benchmark(rounds: int = 5, items: int = 50) -> dict[str, Any]:
    """Times both forms in turn on a paper doll of 256 x 192, on one thread as in a worker of a data loader.

    Args:
        rounds: counted rounds.
        items: made in a turn.

    Returns:
        `size` (height, width) and `rows`: for each form `form`, `baseline`, the published form, and what `compared`
        says of the seconds an item.
    """
    doll = draw_doll(0, 0, try_on=True)
    photo, joints = Image.fromarray(doll.image), doll.keypoints[:, :2].astype(np.float64)
    label_map, unions = doll.label_map.astype(np.uint8), DEEPFASHION15.unions
    jobs = {
        PUBLISHED: partial(published_inputs, photo, label_map, joints, unions),
        OURS: partial(person_inputs, doll.image, label_map, joints, DEEPFASHION15.name, unions.upper),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = interleave(jobs, rounds, calls=items)
    finally:
        torch.set_num_threads(threads)
    rows = [
        {"form": form, "baseline": PUBLISHED, **compared(taken, seconds[PUBLISHED])} for form, taken in seconds.items()
    ]
    return {"size": list(label_map.shape), "rows": rows}
