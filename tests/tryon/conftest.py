import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from seg_vton.engine.launch import load_config
from seg_vton.labels import DEEPFASHION15, load_palette_png
from seg_vton.parsing.instances import Parsing
from seg_vton.pictures.photos import read_photo
from seg_vton.registry import build_model
from seg_vton.tryon.predictor import TryOn

TIMES = 3  # a doll of 48 x 64 pixels is too small to be dressed


def key(photo):
    return hashlib.sha256(photo.tobytes()).hexdigest()


class Oracle:
    """A segmenter that knows the truth of the photos it was shown, and finds nothing in others."""

    device = torch.device("cpu")
    stamp = {"checkpoint": "truth"}
    space = DEEPFASHION15

    def __init__(self):
        self.maps = {}

    def learn(self, photo, label_map):
        """Shows it a photo's label map."""
        self.maps[key(photo)] = label_map

    def __call__(self, photo):
        """What `ClothingParser` gives: an instance for each class in the photo."""
        label_map = self.maps.get(key(photo), np.zeros(photo.shape[:2], np.uint8))
        labels = np.array([label for label in np.unique(label_map) if label], np.int64)
        masks = np.array([label_map == label for label in labels], bool).reshape(-1, *photo.shape[:2])
        return Parsing(np.zeros((len(labels), 4), np.float32), np.ones(len(labels), np.float32), labels, masks)


@pytest.fixture(scope="session")
def doll_photos(tiny_dolls, tmp_path_factory):
    """Three dolls three times enlarged: `persons/N.png`, `garments/N.png` (a hanging garment), `pose/`, `masks/`."""
    root, source = tmp_path_factory.mktemp("photos"), tiny_dolls / "test"
    for name in ("persons", "garments", "pose", "masks"):
        (root / name).mkdir()
    for number in range(1, 4):
        stem = f"{number:06}"
        for folder, file, target in (
            ("image", f"{stem}_0.jpg", root / "persons"),
            ("cloth", f"{stem}_1.jpg", root / "garments"),
            ("cloth-mask", f"{stem}_1.jpg", root / "masks"),
        ):
            picture = Image.open(source / folder / file)
            how = Image.Resampling.NEAREST if folder == "cloth-mask" else Image.Resampling.BICUBIC
            picture.resize((TIMES * picture.width, TIMES * picture.height), how).save(target / f"{number}.png")
        shutil.copy(source / "pose" / f"{stem}_0_keypoints.json", root / "pose" / f"{number}_keypoints.json")
        enlarge_pose(root / "pose" / f"{number}_keypoints.json")
    return root


def enlarge_pose(path):
    content = json.loads(path.read_text())
    for person in content["people"]:
        for name in [name for name in person if name.startswith("pose_keypoints")]:
            person[name] = [value * (TIMES if i % 3 < 2 else 1) for i, value in enumerate(person[name])]
    path.write_text(json.dumps(content))


@pytest.fixture(scope="session")
def oracle(tiny_dolls, doll_photos):
    """The segmenter that knows the dolls."""
    oracle = Oracle()
    for number in range(1, 4):
        label_map = load_palette_png(tiny_dolls / "test" / "image-parse" / f"{number:06}_0.png", "deepfashion15")
        photo = read_photo(doll_photos / "persons" / f"{number}.png")
        oracle.learn(photo, label_map.repeat(TIMES, 0).repeat(TIMES, 1))
    return oracle


@pytest.fixture(scope="session")
def stages(tiny_tryon, tmp_path_factory):
    """Config and checkpoint of a GMM and a TOM of random weights, by name."""
    folder = tmp_path_factory.mktemp("stages")
    found = {}
    for number, stage in enumerate(("gmm", "tom")):
        torch.manual_seed(number)
        model = load_config(tiny_tryon[stage]).model
        if stage == "tom":
            model.warper = None
        torch.save(build_model(model).state_dict(), folder / f"{stage}.pth")
        found[stage] = (tiny_tryon[stage], folder / f"{stage}.pth")
    return found


@pytest.fixture(scope="session")
def predictor(oracle, stages):
    return TryOn(oracle, stages["gmm"], stages["tom"])
