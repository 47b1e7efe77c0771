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


class PaperRow(NamedTuple):
    """A row of the segmentation paper's Table 1; None where the paper has no number."""

    neck: str  # as `seg_vton.segmentation.rows` names them
    optimizer: str
    learning_rate: float
    epochs: int
    bbox_ap50: float
    segm_ap50: float | None
    bbox_ap: float | None = None
    bbox_ap75: float | None = None
    split: str = "val"

    @property
    def numbers(self) -> dict[str, float]:
        """The row's numbers by the names of our columns."""
        named = zip(("bbox AP50", "segm AP50", "bbox AP", "bbox AP75"), self[4:8], strict=True)
        return {name: number for name, number in named if number is not None}


SEGMENTATION_ROWS = (
    PaperRow("FPN", "Adam", 0.0164, 2, 0.238, 0.205),
    PaperRow("FPN", "SGD", 0.02, 2, 0.595, 0.568),
    PaperRow("FPN", "SGD", 0.01, 2, 0.599, 0.574),
    PaperRow("FPN", "SGD", 0.009, 2, 0.602, 0.570),
    PaperRow("CARAFE-FPN", "SGD", 0.009, 2, 0.647, 0.603),
    PaperRow("CARAFE-FPN", "SGD", 0.009, 5, 0.802, 0.752, bbox_ap=0.566, bbox_ap75=0.644),
    PaperRow("CARAFE-FPN", "SGD", 0.009, 5, 0.741, None, bbox_ap=0.504, bbox_ap75=0.566, split="test"),
)


def find_row(row: Mapping[str, Any], dataset: str, split: str) -> PaperRow | None:
    """The paper's row of the same recipe; on another data set than DeepFashion its validation numbers are taken.

    `row` has the facts of `describe_row`. None where the paper has no such row: another architecture, optimizer,
    learning rate, number of epochs or image size, another start than ImageNet weights, or test-time augmentation.
    """
    if row["detector_weights"] or row["test_time_augmentation"] or row["image_scale"] != IMAGE_SCALE:
        return None
    wanted = (row.get("neck"), row["optimizer"], row["learning_rate"], row["epochs"])
    split = split if dataset == DATASET else "val"
    return next((paper for paper in SEGMENTATION_ROWS if (paper[:4], paper.split) == (wanted, split)), None)


TRYON_DATASET = "viton"
TRYON_IMAGES = 2032
TRYON_SIZE = [256, 192]  # height and width in pixels


class TryOnPaperRow(NamedTuple):
    """A row of the try-on paper's table: which stages have the auxiliary decoder, and its four numbers."""

    name: str
    gmm_aux: bool
    tom_aux: bool
    fid: float
    ssim: float
    ms_ssim: float
    psnr: float  # dB

    @property
    def numbers(self) -> dict[str, float]:
        """The row's numbers by the names of our columns."""
        return dict(zip(("FID", "SSIM", "MS-SSIM", "PSNR"), self[3:], strict=True))


TRYON_ROWS = (
    TryOnPaperRow("CP-VTON", False, False, 20.31, 0.698, 0.744, 14.54),
    TryOnPaperRow("auxiliary learning in TOM", False, True, 19.87, 0.701, 0.750, 14.64),
    TryOnPaperRow("auxiliary learning in GMM and TOM", True, True, 18.93, 0.712, 0.767, 15.19),
)


def find_tryon_row(facts: Mapping[str, Any]) -> TryOnPaperRow | None:
    """The try-on paper's row of a TOM with these facts; None for others: a GMM, another person representation, ..."""
    if facts.get("stage") != "tom" or facts.get("person_channels"):
        return None
    return next((row for row in TRYON_ROWS if (row.gmm_aux, row.tom_aux) == (facts["warper_aux"], facts["aux"])), None)
