"""Try-on data drawn at random: files in any layout whose roles are known here, and items of any shape without files."""

import json
from pathlib import Path

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from PIL import Image
from torch.utils.data import Dataset

from seg_vton.labels import get_space, save_palette_png
from seg_vton.parsing.jobs import Item, Job, PhotoResults
from seg_vton.registry import DATASETS
from seg_vton.tryon.datasets.layouts import COMMON, Pair, get_layout


def write_set(root, layout, split, pairs, size, seed=0, pairs_file=None, label_space=None, folders=None):
    """Writes a random data set of a layout: every file of `pairs` and their pairs file.

    Args:
        root: of the data set.
        layout: its name.
        split: of the set.
        pairs: (person, garment) file names.
        size: (width, height) of all pictures.
        seed: of the content.
        pairs_file: name of the pairs file; `SPLIT_pairs.txt` where None.
        label_space: of the parsing maps; the one that the layout's data set is published with where None.
        folders: folders by role: in the place of the layout's, or of exported and known warps, which it has not.

    Raises:
        KeyError: the layout has files of a role that nothing here can draw.
    """
    rng, layout, folders = np.random.default_rng(seed), get_layout(layout), folders or {}
    places = {**layout.places, **{role: place for role, place in COMMON.items() if role in folders}}
    for pair in (Pair(*pair) for pair in pairs):
        for role, place in places.items():
            folder = folders.get(role, place.folders[0])
            path = layout.split_root(root, split) / folder / pair.fill(place.names[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            if role == "pose":
                path.write_text(json.dumps(keypoints(rng, layout.pose_frame or size, layout.name)))
            elif role in ("parse", "target_parse"):
                write_parse(path, rng, size, label_space or layout.published_space)
            else:
                PICTURES[role](path, rng, size)
    lines = "".join(f"{person} {garment}\n" for person, garment in pairs)
    (Path(root) / (pairs_file or f"{split}_pairs.txt")).write_text(lines)


def write_photo(path, rng, size):
    blobs = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    blobs.resize(size, Image.Resampling.BICUBIC).save(path)


def write_mask(path, rng, size):
    mask = np.zeros(size[::-1], np.uint8)
    mask[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4] = 255
    Image.fromarray(mask).save(path)


def write_theta(path, rng, size):
    np.save(path, rng.uniform(-0.1, 0.1, 50).astype(np.float32))


PICTURES = {
    **dict.fromkeys(("image", "cloth", "target", "warped_cloth"), write_photo),
    **dict.fromkeys(("cloth_mask", "warped_mask"), write_mask),
    "theta": write_theta,
}


def write_parse(path, rng, size, space):
    blobs = rng.integers(0, len(get_space(space).classes), (8, 6), dtype=np.uint8)
    parse = np.asarray(Image.fromarray(blobs).resize(size, Image.Resampling.NEAREST))
    save_palette_png(path, parse, space, overwrite=True)


def write_predictions(out, photos, size, seed=0):
    """Writes random label maps of photos as `tools/parse.py` does."""
    rng, results = np.random.default_rng(seed), PhotoResults(out, {})
    for photo in photos:
        write_parse(results.path("label-map", photo.stem), rng, size, "deepfashion15")
        results.write_record(Job(photo.stem, (Item(photo, photo.stem),), ("label-map",)), pending=False)


def keypoints(rng, size, layout):
    """18 random joints as a data set of the layout stores them: DressCode's rows of four, or OpenPose's 25 joints."""
    joints = np.concatenate([rng.uniform(2, size, (18, 2)), np.full((18, 2), 0.5)], axis=1)
    if layout == "dresscode":
        return {"keypoints": joints.tolist()}
    body_25 = np.zeros((25, 3))
    body_25[[i for i in range(19) if i != 8]] = joints[:, :3]
    return {"people": [{"pose_keypoints_2d": body_25.ravel().tolist()}]}


@DATASETS.register_module()
class RandomPairs(Dataset):
    """Two items as `TryOnDataset` gives them, in the shapes that a model wants.

    Args:
        image_size: (height, width).
        person_channels: of `agnostic`.
        label_space: of `parse`.
    """

    def __init__(self, image_size, person_channels, label_space):
        self.size, self.channels, self.space = tuple(image_size), person_channels, label_space
        self.metainfo = {"classes": get_space(label_space).classes, "label_space": label_space}

    def __len__(self):
        return 2

    def __getitem__(self, index):
        def draw(channels):
            return torch.rand(channels, *self.size, generator=generator)

        generator = torch.Generator().manual_seed(index)
        inputs = {key: 2 * draw(3) - 1 for key in ("image", "cloth", "parse_cloth", "warped_cloth")}
        inputs |= {key: draw(1).round() for key in ("cloth_mask", "parse_cloth_mask", "warped_mask")}
        inputs["agnostic"] = 2 * draw(self.channels) - 1
        inputs["parse"] = (draw(1)[0] * len(self.metainfo["classes"])).long()
        person = {"person": str(index), "garment": str(index), "paired": True, "label_space": self.space}
        files = {"image_path": f"{index}.jpg", "cloth_path": f"{index}.jpg"}
        sizes = {"ori_shape": self.size, "img_shape": self.size}
        return {"inputs": inputs, "data_samples": BaseDataElement(metainfo={**person, **files, **sizes})}
