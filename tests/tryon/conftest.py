import json
import shutil

import numpy as np
import pytest
from PIL import Image

from seg_vton.data.paper_doll import Plan, write_paper_dolls
from seg_vton.labels import get_space, save_palette_png
from seg_vton.tryon.data.layouts import Pair, get_layout


@pytest.fixture(scope="session")
def doll_set(tmp_path_factory):
    """A paper-doll set in VITON's layout: 3 dolls to train on and 3 to test on, 96 x 128. Not to be changed."""
    folder = tmp_path_factory.mktemp("dolls") / "set"
    write_paper_dolls(folder, Plan(train=3, test=3, seed=5, size=(96, 128), layout="viton"), workers=1)
    return folder


@pytest.fixture
def dolls(doll_set, tmp_path):
    """A copy of `doll_set` that a test may spoil."""
    return shutil.copytree(doll_set, tmp_path / "dolls")


def _keypoints(layout, rng, size):
    """18 random joints as a data set of the layout stores them."""
    width, height = get_layout(layout).pose_frame or size
    joints = np.concatenate([rng.uniform(2, (width, height), (18, 2)), np.full((18, 2), 0.5)], axis=1)
    if layout == "dresscode":
        return {"keypoints": joints.tolist()}
    names = [i for i in range(19) if i != 8]
    body_25 = np.zeros((25, 3))
    body_25[names] = joints[:, :3]
    return {"people": [{"pose_keypoints_2d": body_25.ravel().tolist()}]}


def _write_set(root, layout, split, pairs, size, seed=0):
    """Writes a random data set of a layout: photos, masks, parsing maps and poses of `pairs` and their pairs file.

    Args:
        root: of the data set.
        layout: its name.
        split: of the set; the pairs file is `SPLIT_pairs.txt`.
        pairs: (person, garment) file names.
        size: (width, height) of all pictures.
        seed: of the content.
    """
    rng, places, (width, height) = np.random.default_rng(seed), get_layout(layout).places, size
    space = get_layout(layout).published_space
    folder = get_layout(layout).split_root(root, split)
    for pair in (Pair(*pair) for pair in pairs):
        paths = {role: folder / place.folders[0] / pair.fill(place.names[0]) for role, place in places.items()}
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        for role in ("image", "cloth"):
            blobs = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
            blobs.resize(size, Image.Resampling.BICUBIC).save(paths[role])
        mask = np.zeros((height, width), np.uint8)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
        Image.fromarray(mask).save(paths["cloth_mask"])
        blobs = rng.integers(0, len(get_space(space).classes), (8, 6), dtype=np.uint8)
        parse = np.asarray(Image.fromarray(blobs).resize(size, Image.Resampling.NEAREST))
        save_palette_png(paths["parse"], parse, space, overwrite=True)
        paths["pose"].write_text(json.dumps(_keypoints(layout, rng, size)))
    (root / f"{split}_pairs.txt").write_text("".join(f"{person} {garment}\n" for person, garment in pairs))


@pytest.fixture(scope="session")
def write_set():
    """The function that writes a small random data set of a layout; see `_write_set`."""
    return _write_set
