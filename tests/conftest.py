from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seg_vton.data.coco import CocoBuilder

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo():
    """Root of the repository."""
    return REPO


def draw_shapes(rng, size, categories):
    """A noisy image with one coloured ellipse or rectangle a category, later ones on top; returns it and the masks."""
    width, height = size
    noise = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    image, masks = Image.fromarray(noise), []
    for category in categories:
        x, y = rng.integers(0, (width // 2, height // 2))
        w, h = rng.integers((width // 4, height // 4), (width // 2, height // 2))
        shape = Image.new("1", size)
        draw = ImageDraw.Draw(shape)
        (draw.ellipse if category % 2 else draw.rectangle)((x, y, x + w, y + h), fill=1)
        colour = tuple(int(c) for c in np.random.default_rng(category).integers(60, 256, 3))
        image.paste(colour, mask=shape)
        masks.append(np.asarray(shape))
    for under in range(len(masks)):
        for above in masks[under + 1 :]:
            masks[under] = masks[under] & ~above
    return image, masks


@pytest.fixture(scope="session")
def tiny_coco(tmp_path_factory):
    """Folder with a COCO set of 8 images: `annotations/instances.json` and `images/`.

    Six sizes of about 96 x 128; six of the 15 classes occur, 2 to 4 instances an image; the image `3.png` has none.
    """
    root = tmp_path_factory.mktemp("tiny_coco")
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    builder = CocoBuilder("tiny")
    for number in range(8):
        size = (96 + 4 * (number % 3), 128 - 8 * (number % 2))
        categories = [] if number == 3 else rng.choice([1, 4, 6, 8, 14, 15], 2 + number % 3, replace=False).tolist()
        image, masks = draw_shapes(rng, size, categories)
        image.save(root / "images" / f"{number}.png")
        image_id = builder.add_image(f"{number}.png", *size)
        for category, mask in zip(categories, masks, strict=True):
            builder.add_mask(image_id, category, mask)
    builder.write(root / "annotations" / "instances.json")
    return root
