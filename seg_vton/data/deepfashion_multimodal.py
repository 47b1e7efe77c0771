"""DeepFashion-MultiModal (Jiang et al., Text2Human, SIGGRAPH 2022) to COCO files of the 15 DeepFashion classes."""

import hashlib
import re
from pathlib import Path

from seg_vton.data.coco_files import Summary, convert_label_maps
from seg_vton.data.folders import find_folder, link_folder
from seg_vton.errors import UserError
from seg_vton.labels import DFMM24, load_palette_png

SPLIT_OF_TENTH = ("train",) * 8 + ("val", "test")
_SUFFIX = "_segm.png"
_ITEM_ID = re.compile(r"id_?(\d{8})")


def item_of(file_name: str) -> str:
    """The eight digits of the item in a file name such as `WOMEN-Dresses-id_00000002-02_1_front_segm.png`."""
    found = _ITEM_ID.search(file_name)
    if not found:
        raise UserError(f"{file_name}: the name has no item id (id_NNNNNNNN), by which the split is made")
    return found.group(1)


def split_of(file_name: str, seed: int) -> str:
    """The split of an image: train, val or test with shares .8, .1 and .1.

    All photos of one item (its views and colors, worn by one model as a rule) have one id and go to one split, so that
    no garment is seen in training and in validation. The split is a hash of the seed and the id: it is the same on
    every machine, whatever files are there, and a file more moves none. The data set publishes no split for parsing.
    """
    digest = hashlib.sha256(f"{seed}:{item_of(file_name)}".encode()).digest()
    return SPLIT_OF_TENTH[int.from_bytes(digest[:8], "big") % 10]


def convert_deepfashion_multimodal(
    source: str | Path, out: str | Path, seed: int = 0, overwrite: bool = False
) -> list[Summary]:
    """Writes `out/annotations/instances_{train,val,test}.json` and makes `out/images` point to the photos.

    The 24 labels become the 15 classes as `seg_vton.labels` has it (rompers to dress, socks to footwear, necklaces and
    ties to neckwear; rings, wrist wear, gloves and earrings have no class), one instance per class and image.

    `source` has `segm/` (or `parsing/`) of `NAME_segm.png` and `images/` (or `image/`) of `NAME.jpg`; it may be `out`.
    `seed` is that of the split. Otherwise as `convert_label_maps`.
    """
    out = Path(out)
    parsing, images = find_folder(source, ("segm", "parsing")), find_folder(source, ("images", "image"))
    paths = sorted(parsing.glob(f"[!.]*{_SUFFIX}"))
    if not paths:
        raise UserError(f"{parsing} has no *{_SUFFIX} files")
    maps = {path: (split_of(path.name, seed), images / f"{path.name.removesuffix(_SUFFIX)}.jpg") for path in paths}
    summaries = convert_label_maps(
        maps, lambda path: load_palette_png(path, DFMM24.name), DFMM24, out, "DeepFashion-MultiModal", overwrite
    )
    link_folder(images, out / "images")
    return summaries
