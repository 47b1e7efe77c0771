"""The segmenter that comes with the package, on a photo that stands in the docs."""

from pathlib import Path

import numpy as np
from PIL import Image

from seg_vton.apis import ClothingParser
from seg_vton.engine.model_folder import packaged_folder

OVERVIEW = Path(__file__).parents[1] / "docs/images/overview.jpg"


def test_it_finds_hair_skin_and_clothes_of_the_person_in_the_docs():
    with Image.open(OVERVIEW) as image:
        person = np.asarray(image.crop((0, 0, image.width // 4, image.height)))
    parsing = ClothingParser.load(packaged_folder())(person)
    assert {"hair", "skin"} < set(parsing.classes)
    label_map = parsing.label_map("tryon8")
    assert label_map.shape == person.shape[:2]
    assert 0.1 < (label_map > 0).mean() < 0.6
