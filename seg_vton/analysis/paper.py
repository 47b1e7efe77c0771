"""The published numbers that the tables put beside ours.

Segmentation: Sarda and Sun, *Clothing Segmentation for Virtual Try-On*, Table 1 and the text on its last row, all on
DeepFashion In-shop. Try-on: Ayush et al., *Powering Virtual Try-On via Auxiliary Human Segmentation Learning* (ICCV
Workshops 2019), its table of CP-VTON with auxiliary learning, on VITON's test set (Han et al., CVPR 2018).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

DATASET = "deepfashion"
IMAGES = {"val": 3111, "test": 3809}
IMAGE_SCALE = [750, 1101]
BACKBONE = "ResNet-50"


class PaperRow(NamedTuple):
    """A row of the segmentation paper's Table 1."""

    neck: str  # as `seg_vton.segmentation.rows` names them
    optimizer: str
    learning_rate: float
    epochs: int
    split: str
    numbers: dict[str, float]  # by the names of our columns


SEGMENTATION_ROWS = (
    PaperRow("FPN", "Adam", 0.0164, 2, "val", {"bbox AP50": 0.238, "segm AP50": 0.205}),
    PaperRow("FPN", "SGD", 0.02, 2, "val", {"bbox AP50": 0.595, "segm AP50": 0.568}),
    PaperRow("FPN", "SGD", 0.01, 2, "val", {"bbox AP50": 0.599, "segm AP50": 0.574}),
    PaperRow("FPN", "SGD", 0.009, 2, "val", {"bbox AP50": 0.602, "segm AP50": 0.570}),
    PaperRow("CARAFE-FPN", "SGD", 0.009, 2, "val", {"bbox AP50": 0.647, "segm AP50": 0.603}),
    PaperRow(
        *("CARAFE-FPN", "SGD", 0.009, 5, "val"),
        {"bbox AP50": 0.802, "segm AP50": 0.752, "bbox AP": 0.566, "bbox AP75": 0.644},
    ),
    PaperRow("CARAFE-FPN", "SGD", 0.009, 5, "test", {"bbox AP50": 0.741, "bbox AP": 0.504, "bbox AP75": 0.566}),
)


def find_row(row: Mapping[str, Any], dataset: str, split: str) -> PaperRow | None:
    """The paper's row of the same recipe; on another data set than DeepFashion its validation numbers are taken.

    `row` has the facts of `describe_row`. None where the paper has no such row: another architecture, optimizer,
    learning rate, number of epochs or image size, another start than ImageNet weights, or augmentation but the flip.
    """
    augmented = row["test_time_augmentation"] or row.get("augmentation")
    if row["detector_weights"] or augmented or row["image_scale"] != IMAGE_SCALE or row.get("backbone") != BACKBONE:
        return None
    split = split if dataset == DATASET else "val"
    wanted = (row.get("neck"), row["optimizer"], row["learning_rate"], row["epochs"], split)
    return next((paper for paper in SEGMENTATION_ROWS if paper[:5] == wanted), None)


TRYON_DATASET = "viton"
TRYON_IMAGES = 2032
TRYON_SIZE = [256, 192]  # height and width in pixels


class TryOnRow(NamedTuple):
    """A row of the try-on paper's table."""

    name: str
    numbers: dict[str, float]  # by the names of our columns; PSNR in dB


TRYON_ROWS = {  # by whether GMM has the paper's auxiliary decoder, and TOM
    (False, False): TryOnRow("CP-VTON", {"FID": 20.31, "SSIM": 0.698, "MS-SSIM": 0.744, "PSNR": 14.54}),
    (False, True): TryOnRow(
        "auxiliary learning in TOM", {"FID": 19.87, "SSIM": 0.701, "MS-SSIM": 0.750, "PSNR": 14.64}
    ),
    (True, True): TryOnRow(
        "auxiliary learning in GMM and TOM", {"FID": 18.93, "SSIM": 0.712, "MS-SSIM": 0.767, "PSNR": 15.19}
    ),
}


def find_tryon_row(facts: Mapping[str, Any]) -> TryOnRow | None:
    """The try-on paper's row of a TOM with these facts; None for a GMM, another person representation or decoder."""
    if facts.get("stage") != "tom" or facts.get("person_channels"):
        return None
    return TRYON_ROWS.get((facts["warper_aux"], facts["aux"]))
