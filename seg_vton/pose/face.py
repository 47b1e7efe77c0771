"""The face of label maps that have none.

Clothing Co-Parsing, and so a segmenter trained on it, labels the face as skin. CP-VTON keeps the head of the photo, and
a head without a face is not the person's.
"""

import numpy as np

from seg_vton.labels import get_space
from seg_vton.pose.joints import NECK

CHIN = 0.45
"""Where the chin is on the way from the nose to the neck (the shoulders' midpoint)."""

REACH = 1.1
"""The face's radius around the nose in lengths of that way: hands beside the head are not the face."""


def label_face(label_map: np.ndarray, joints: np.ndarray, space: str = "deepfashion15") -> np.ndarray:
    """Labels the skin above the chin as face, where the map has skin and no face and the pose has nose and neck.

    The map itself where there is nothing to do, else a new one.

    Args:
        label_map: uint8 ids `(H, W)`.
        joints: `(18, 2)` or `(18, 3)`, x and y in pixels of the map, OpenPose's order; missing ones are at 0 or below.
        space: label space of the map; one without a label `face` or `skin` leaves nothing to do.
    """
    classes = get_space(space).classes
    if not {"face", "skin"} <= set(classes):
        return label_map
    face, skin = classes.index("face"), classes.index("skin")
    nose, neck = joints[0, :2].astype(float), joints[NECK, :2].astype(float)
    way = neck - nose
    length = float(way @ way)
    if np.any(label_map == face) or not ((nose > 0).all() and (neck > 0).all() and length):
        return label_map
    rows, columns = np.nonzero(label_map == skin)
    offsets = np.column_stack([columns, rows]) - nose
    of_face = (offsets @ way / length <= CHIN) & ((offsets**2).sum(1) <= REACH**2 * length)
    labeled = label_map.copy()
    labeled[rows[of_face], columns[of_face]] = face
    return labeled
