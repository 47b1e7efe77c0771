"""Label spaces and the conversions between them: the contract between segmentation and try-on.

A label map is an integer array `(H, W)` of ids. What an id means depends on the label space, and nothing in the map
says which one it is: LIP's 10 is a jumpsuit, CIHP's 10 is the skin of the torso. Each label map therefore travels with
the *name* of its space, and `convert` is the one way from a space to another. A conversion may merge labels and may
drop labels to the background; one that would have to invent labels is refused with the reason.

Each space names three unions of labels, which CP-VTON's person representation is made of (Wang et al., ECCV 2018):
`head` is kept from the photo, `upper` is the garment that try-on replaces, `body` is the silhouette.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, opened_image, upright

Color = tuple[int, int, int]

IGNORE_INDEX = 255
"""The id of pixels without a label in the targets of losses and metrics, which leave them out; of no label space."""

_PNG_KEY = "label_space"


class LabelConversionError(UserError):
    """Two label spaces have no conversion; the message says why."""


class Unions(NamedTuple):
    """The ids that make up CP-VTON's three regions in one label space."""

    head: tuple[int, ...]  # reserved from the photo: hair, headwear, eyewear and face
    upper: tuple[int, ...]  # garments that the in-shop garment replaces
    body: tuple[int, ...]  # silhouette of the dressed person; every label but the background


@dataclass(frozen=True)
class LabelSpace:
    """One meaning of the ids in a label map."""

    name: str  # the name that label maps, configs and files carry
    classes: tuple[str, ...]  # class names by id; id 0 is the background
    palette: tuple[Color, ...]  # RGB color in [0, 255] by id, for palette PNGs and panels
    unions: Unions  # the ids of CP-VTON's head, upper garment and body shape

    def id_of(self, class_name: str) -> int:
        """The id of a class; the `UserError` of an unknown one lists what the space has."""
        if class_name not in self.classes:
            raise UserError(f"{self.name} has no label {class_name!r}; it has: {', '.join(self.classes)}")
        return self.classes.index(class_name)


def _bit_palette(length: int) -> tuple[Color, ...]:
    """PASCAL VOC's colors: bit 3k + c of the id is bit 7 - k of channel c (VOC devkit, `VOClabelcolormap`)."""

    def channel(index: int, c: int) -> int:
        return sum((index >> (3 * k + c) & 1) << (7 - k) for k in range(3))

    return tuple((channel(i, 0), channel(i, 1), channel(i, 2)) for i in range(length))


VOC_PALETTE = _bit_palette(256)
"""PASCAL VOC's colors, which most parsers write whatever their labels are."""

_SPACES: dict[str, LabelSpace] = {}
SPACES: Mapping[str, LabelSpace] = MappingProxyType(_SPACES)
"""All label spaces by name, in the order of their registration."""

_TABLES: dict[tuple[str, str], np.ndarray] = {}  # see `conversion_table`


def get_space(name: str) -> LabelSpace:
    """The label space of that name; the `UserError` of an unknown one lists those there are."""
    if name not in SPACES:
        raise UserError(f"unknown label space {name!r}; known: {', '.join(SPACES)}")
    return SPACES[name]


def register_space(
    name: str,
    classes: Sequence[str],
    head: Sequence[str],
    upper: Sequence[str],
    palette: Sequence[Color] | None = None,
    conversions: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
) -> LabelSpace:
    """Makes a label space known by its name, for configs, tools and files.

    >>> register_space(
    ...     "coarse4", ["background", "head", "upper", "rest"], head=["head"], upper=["upper"],
    ...     conversions={"tryon8": {"head": ["hair+headwear", "face+eyeglass"], "rest": ["skin", "lower", ...]}},
    ... )

    Args:
        name: what configs, label maps and files call it.
        classes: class names by id; the first is the background.
        head: the classes that CP-VTON keeps from the photo.
        upper: the classes that the in-shop garment replaces.
        palette: RGB colors in [0, 255] by id; None takes PASCAL VOC's.
        conversions: by a known space that can become this one: the classes of that space by the class of this one that
            they become. See `register_conversion`.

    Returns:
        The space.

    Raises:
        ValueError: another space has the name, a class is there twice or is unknown, or the colors are not as many.
    """
    classes = tuple(classes)
    palette = VOC_PALETTE[: len(classes)] if palette is None else tuple(map(tuple, palette))
    if len(set(classes)) != len(classes) or len(palette) != len(classes):
        raise ValueError(f"{name}: each of the {len(classes)} classes needs a name of its own and one color")
    unions = Unions(
        head=tuple(sorted(map(classes.index, head))),
        upper=tuple(sorted(map(classes.index, upper))),
        body=tuple(range(1, len(classes))),
    )
    space = LabelSpace(name, classes, palette, unions)
    if _SPACES.setdefault(name, space) != space:
        raise ValueError(f"there is another label space {name!r} already: choose another name")
    _TABLES[name, name] = np.arange(len(classes), dtype=np.uint8)
    for source, groups in (conversions or {}).items():
        register_conversion(source, name, groups)
    return space


def register_conversion(source: str, target: str, groups: Mapping[str, Sequence[str]]) -> None:
    """Says how label maps of one known space become label maps of another.

    `groups` are classes of the source by the class of the target that they become. Classes of the same name in both
    spaces need no entry. What stands under the target's background is dropped: the target has no class for it.
    `ValueError` where a class of the source has no place, or a class is unknown.
    """
    classes, goal = get_space(source).classes, get_space(target).classes
    becomes = {name: name for name in classes if name in goal}
    becomes |= {name: to for to, names in groups.items() for name in names}
    faults = []
    for space, strange in ((source, set(becomes) - set(classes)), (target, set(groups) - set(goal))):
        faults += [f"{space} has no {', '.join(sorted(strange))}"] if strange else []
    if lost := [name for name in classes if name not in becomes]:
        faults.append(f"nothing is said of {', '.join(lost)}; list what you drop under {goal[0]}: {goal[0]!r}: {lost}")
    if faults:
        raise ValueError(f"{source} to {target}: {'; '.join(faults)}")
    _TABLES[source, target] = np.array([goal.index(becomes[name]) for name in classes], dtype=np.uint8)


# DeepFashion In-shop segmentation: order and colors of mmdet's DeepFashionDataset, moved up by one for the background
# (category id i in a COCO file is label i here).
DEEPFASHION15 = register_space(
    'deepfashion15',
    (
        'background', 'top', 'skirt', 'leggings', 'dress', 'outer', 'pants', 'bag', 'neckwear', 'headwear',
        'eyeglass', 'belt', 'footwear', 'hair', 'skin', 'face',
    ),
    head=('headwear', 'eyeglass', 'hair', 'face'),
    upper=('top', 'dress', 'outer'),
    palette=(
        (0, 0, 0), (0, 192, 64), (0, 64, 96), (128, 192, 192), (0, 64, 64), (0, 192, 224), (0, 192, 192),
        (128, 192, 64), (0, 192, 96), (128, 32, 192), (0, 0, 224), (0, 0, 64), (0, 160, 192), (128, 0, 96),
        (128, 0, 192), (0, 32, 192),
    ),
)  # fmt: skip

# Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014), label_list.mat; its `null` is our background.
CCP59 = register_space(
    'ccp59',
    (
        'background', 'accessories', 'bag', 'belt', 'blazer', 'blouse', 'bodysuit', 'boots', 'bra',
        'bracelet', 'cape', 'cardigan', 'clogs', 'coat', 'dress', 'earrings', 'flats', 'glasses', 'gloves',
        'hair', 'hat', 'heels', 'hoodie', 'intimate', 'jacket', 'jeans', 'jumper', 'leggings', 'loafers',
        'necklace', 'panties', 'pants', 'pumps', 'purse', 'ring', 'romper', 'sandals', 'scarf', 'shirt',
        'shoes', 'shorts', 'skin', 'skirt', 'sneakers', 'socks', 'stockings', 'suit', 'sunglasses',
        'sweater', 'sweatshirt', 'swimwear', 't-shirt', 'tie', 'tights', 'top', 'vest', 'wallet', 'watch',
        'wedges',
    ),
    # CCP has no face label: the face is skin, so the head union holds what is worn on the head and the hair only.
    head=('glasses', 'hair', 'hat', 'sunglasses'),
    upper=(
        'blazer', 'blouse', 'bodysuit', 'bra', 'cape', 'cardigan', 'coat', 'dress', 'hoodie', 'intimate',
        'jacket', 'jumper', 'romper', 'shirt', 'suit', 'sweater', 'sweatshirt', 'swimwear', 't-shirt',
        'top', 'vest',
    ),
)  # fmt: skip

# DeepFashion-MultiModal (Jiang et al., Text2Human, SIGGRAPH 2022), parsing labels of its README.
DFMM24 = register_space(
    'dfmm24',
    (
        'background', 'top', 'outer', 'skirt', 'dress', 'pants', 'leggings', 'headwear', 'eyeglass',
        'neckwear', 'belt', 'footwear', 'bag', 'hair', 'face', 'skin', 'ring', 'wrist wearing', 'socks',
        'gloves', 'necklace', 'rompers', 'earrings', 'tie',
    ),
    head=('headwear', 'eyeglass', 'hair', 'face'),
    upper=('top', 'outer', 'dress', 'rompers'),
)  # fmt: skip

# The 20 colors that JPPNet, CIHP_PGN and VITON's `image-parse` files share.
_LIP_PALETTE = (
    (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85), (0, 119, 221),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 255), (51, 170, 221), (0, 255, 255),
    (85, 255, 170), (170, 255, 85), (255, 255, 0), (255, 170, 0),
)  # fmt: skip

# Look Into Person (Gong et al., CVPR 2017); unions as CP-VTON has them: head 1 2 4 13, upper 5 6 7.
LIP20 = register_space(
    'lip20',
    (
        'background', 'hat', 'hair', 'glove', 'sunglasses', 'upper-clothes', 'dress', 'coat', 'socks',
        'pants', 'jumpsuits', 'scarf', 'skirt', 'face', 'left-arm', 'right-arm', 'left-leg', 'right-leg',
        'left-shoe', 'right-shoe',
    ),
    head=('hat', 'hair', 'sunglasses', 'face'),
    upper=('upper-clothes', 'dress', 'coat'),
    palette=_LIP_PALETTE,
)  # fmt: skip

# CP-VTON+ (Minar et al., CVPR Workshops 2020), dataset_neck_skin_correction.py: LIP's ids, and 20 is the skin of neck
# and chest.
LIP21 = register_space(
    "lip21",
    (*LIP20.classes, "neck"),
    head=("hat", "hair", "sunglasses", "face"),
    upper=("upper-clothes", "dress", "coat"),
    palette=(*_LIP_PALETTE, (189, 183, 107)),
)

CLOTHING_CLASSES = DEEPFASHION15.classes[1:]
"""The 15 classes of a segmenter, in mmdet's order."""

# Crowd Instance-level Human Parsing (Gong et al., ECCV 2018): LIP's ids, but 10 is the skin of the torso.
CIHP20 = register_space(
    "cihp20",
    tuple("torso-skin" if name == "jumpsuits" else name for name in LIP20.classes),
    head=("hat", "hair", "sunglasses", "face"),
    upper=("upper-clothes", "dress", "coat"),
    palette=_LIP_PALETTE,
)

# ATR (Liang et al., Deep Human Parsing with Active Template Regression, TPAMI 2015).
ATR18 = register_space(
    'atr18',
    (
        'background', 'hat', 'hair', 'sunglasses', 'upper-clothes', 'skirt', 'pants', 'dress', 'belt',
        'left-shoe', 'right-shoe', 'face', 'left-leg', 'right-leg', 'left-arm', 'right-arm', 'bag',
        'scarf',
    ),
    head=('hat', 'hair', 'sunglasses', 'face'),
    upper=('upper-clothes', 'dress'),
)  # fmt: skip

# FASHN's human parser (the package fashn-human-parser, labels.py); shoes are feet, and coats are tops.
FASHN18 = register_space(
    'fashn18',
    (
        'background', 'face', 'hair', 'top', 'dress', 'skirt', 'pants', 'belt', 'bag', 'hat', 'scarf', 'glasses',
        'arms', 'hands', 'legs', 'feet', 'torso', 'jewelry',
    ),
    head=('face', 'hair', 'hat', 'glasses'),
    upper=('top', 'dress'),
)  # fmt: skip

# ACGPN (Yang et al., CVPR 2020), its authors' answer in switchablenorms/DeepFashion_Try_On issue 29; they give 2 and
# 3 no meaning, and 7, "noise", is what fits nowhere else.
ACGPN14 = register_space(
    'acgpn14',
    (
        'background', 'hair', 'unused-2', 'unused-3', 'upper-clothes', 'left-shoe', 'right-shoe', 'noise',
        'pants', 'left-leg', 'right-leg', 'left-arm', 'face', 'right-arm',
    ),
    head=('hair', 'face'),
    upper=('upper-clothes',),
)  # fmt: skip

# ours: the least that try-on needs, and what every other space can be reduced to.
TRYON8 = register_space(
    "tryon8",
    ("background", "hair+headwear", "face+eyeglass", "skin", "upper", "lower", "footwear", "accessories"),
    head=("hair+headwear", "face+eyeglass"),
    upper=("upper",),
)

_CCP_UPPER_TOP = (
    'blouse', 'bodysuit', 'bra', 'hoodie', 'intimate', 'jumper', 'shirt', 'sweater', 'sweatshirt',
    'swimwear', 't-shirt', 'top',
)  # fmt: skip
_CCP_OUTER = ("blazer", "cape", "cardigan", "coat", "jacket", "suit", "vest")
_CCP_FOOTWEAR = (
    'boots', 'clogs', 'flats', 'heels', 'loafers', 'pumps', 'sandals', 'shoes', 'sneakers', 'socks',
    'wedges',
)  # fmt: skip
_SIDED_SKIN = ("left-arm", "right-arm", "left-leg", "right-leg")
_LIP_TO_TRYON8 = {
    "hair+headwear": ("hat", "hair"),
    "face+eyeglass": ("sunglasses", "face"),
    "skin": _SIDED_SKIN,
    "upper": ("upper-clothes", "dress", "coat"),
    "lower": ("pants", "skirt"),
    "footwear": ("socks", "left-shoe", "right-shoe"),
    "accessories": ("glove", "scarf"),
}
_LIP_TO_ACGPN14 = {
    "hair": ("hat",),
    "face": ("sunglasses",),
    "upper-clothes": ("dress", "coat"),
    "pants": ("skirt",),
    "noise": ("glove", "socks", "scarf"),
}

_GROUPS: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    # Decided by looking at the photos. `suit` is nearly always the jacket alone (41 of 71 photos of the part we have
    # label the trousers `pants`); `jumper` is the British word for a sweater; `bodysuit` is more often a top than a
    # one-piece. Stockings and tights are the colored leg, as leggings are, and not bare skin; socks go with the
    # shoe. Jewellery, watches, gloves and `accessories` (hand fans, paper bags, hair bands...) have no home.
    ('ccp59', 'deepfashion15'): {
        'top': _CCP_UPPER_TOP,
        'outer': _CCP_OUTER,
        'dress': ('romper',),
        'pants': ('jeans', 'panties', 'shorts'),
        'leggings': ('stockings', 'tights'),
        'bag': ('purse', 'wallet'),
        'neckwear': ('necklace', 'scarf', 'tie'),
        'headwear': ('hat',),
        'eyeglass': ('glasses', 'sunglasses'),
        'footwear': _CCP_FOOTWEAR,
        'background': ('accessories', 'bracelet', 'earrings', 'gloves', 'ring', 'watch'),
    },
    ('ccp59', 'dfmm24'): {
        'top': _CCP_UPPER_TOP,
        'outer': _CCP_OUTER,
        'pants': ('jeans', 'panties', 'shorts'),
        'leggings': ('stockings', 'tights'),
        'bag': ('purse', 'wallet'),
        'neckwear': ('scarf',),
        'headwear': ('hat',),
        'eyeglass': ('glasses', 'sunglasses'),
        'footwear': tuple(name for name in _CCP_FOOTWEAR if name != 'socks'),
        'wrist wearing': ('bracelet', 'watch'),
        'rompers': ('romper',),
        'background': ('accessories',),
    },
    ('dfmm24', 'deepfashion15'): {
        'dress': ('rompers',),
        'footwear': ('socks',),
        'neckwear': ('necklace', 'tie'),
        'background': ('ring', 'wrist wearing', 'gloves', 'earrings'),
    },
    ('deepfashion15', 'tryon8'): {
        'hair+headwear': ('hair', 'headwear'),
        'face+eyeglass': ('face', 'eyeglass'),
        'upper': ('top', 'dress', 'outer'),
        'lower': ('skirt', 'leggings', 'pants'),
        'accessories': ('bag', 'neckwear', 'belt'),
    },
    ('ccp59', 'tryon8'): {
        'hair+headwear': ('hair', 'hat'),
        'face+eyeglass': ('glasses', 'sunglasses'),
        'upper': (*_CCP_UPPER_TOP, *_CCP_OUTER, 'dress', 'romper'),
        'lower': ('jeans', 'leggings', 'panties', 'pants', 'shorts', 'skirt', 'stockings', 'tights'),
        'footwear': _CCP_FOOTWEAR,
        'accessories': ('bag', 'belt', 'bracelet', 'earrings', 'gloves', 'necklace', 'purse', 'ring', 'scarf', 'tie',
                        'wallet', 'watch'),
    },
    ('dfmm24', 'tryon8'): {
        'hair+headwear': ('hair', 'headwear'),
        'face+eyeglass': ('face', 'eyeglass'),
        'upper': ('top', 'outer', 'dress', 'rompers'),
        'lower': ('skirt', 'pants', 'leggings'),
        'footwear': ('socks',),
        'accessories': ('neckwear', 'belt', 'bag', 'ring', 'wrist wearing', 'gloves', 'necklace', 'earrings', 'tie'),
    },
    # CP-VTON does not count LIP's jumpsuits as an upper garment (they stay on the person), so neither does this.
    ('lip20', 'tryon8'): {**_LIP_TO_TRYON8, 'lower': ('pants', 'skirt', 'jumpsuits')},
    ('lip21', 'tryon8'): {**_LIP_TO_TRYON8, 'lower': ('pants', 'skirt', 'jumpsuits'), 'skin': (*_SIDED_SKIN, 'neck')},
    ('cihp20', 'tryon8'): {**_LIP_TO_TRYON8, 'skin': (*_SIDED_SKIN, 'torso-skin')},
    ('atr18', 'tryon8'): {
        'hair+headwear': ('hat', 'hair'),
        'face+eyeglass': ('sunglasses', 'face'),
        'skin': _SIDED_SKIN,
        'upper': ('upper-clothes', 'dress'),
        'lower': ('skirt', 'pants'),
        'footwear': ('left-shoe', 'right-shoe'),
        'accessories': ('belt', 'bag', 'scarf'),
    },
    ('fashn18', 'tryon8'): {
        'hair+headwear': ('hair', 'hat'),
        'face+eyeglass': ('face', 'glasses'),
        'skin': ('arms', 'hands', 'legs', 'torso'),
        'upper': ('top', 'dress'),
        'lower': ('skirt', 'pants'),
        'footwear': ('feet',),
        'accessories': ('belt', 'bag', 'scarf', 'jewelry'),
    },
    ('acgpn14', 'tryon8'): {
        'hair+headwear': ('hair',),
        'face+eyeglass': ('face',),
        'skin': _SIDED_SKIN,
        'upper': ('upper-clothes',),
        'lower': ('pants',),
        'footwear': ('left-shoe', 'right-shoe'),
        'accessories': ('noise', 'unused-2', 'unused-3'),
    },
    ('lip21', 'lip20'): {'background': ('neck',)},  # what it was before the correction
    ('lip20', 'acgpn14'): {**_LIP_TO_ACGPN14, 'noise': (*_LIP_TO_ACGPN14['noise'], 'jumpsuits')},
    ('lip21', 'acgpn14'): {**_LIP_TO_ACGPN14, 'noise': (*_LIP_TO_ACGPN14['noise'], 'jumpsuits', 'neck')},
    ('cihp20', 'acgpn14'): {**_LIP_TO_ACGPN14, 'noise': (*_LIP_TO_ACGPN14['noise'], 'torso-skin')},
    ('atr18', 'acgpn14'): {
        'hair': ('hat',),
        'face': ('sunglasses',),
        'upper-clothes': ('dress',),
        'pants': ('skirt',),
        'noise': ('belt', 'bag', 'scarf'),
    },
}  # fmt: skip


for _pair, _groups in _GROUPS.items():
    register_conversion(*_pair, _groups)

# Why most spaces cannot become the larger ones; `_refusal` has the other reasons.
_LACKS = {
    "deepfashion15": "merges socks with shoes, ties and necklaces with scarves, and all kinds of top",
    "ccp59": "labels neither the face nor the sides of the body",
    "dfmm24": "has one label where CCP has many kinds of top, outer garment, trousers and shoes",
    "lip20": "labels no bag and no belt, and of the skin only arms and legs",
    "lip21": "labels no bag and no belt, and of the torso's skin only the neck",
    "cihp20": "labels no bag and no belt, and no jumpsuits",
    "atr18": "labels no coats (they are upper-clothes), no socks and no gloves",
    "fashn18": "merges coats with tops, and shoes with feet",
    "acgpn14": "merges coats and dresses with tops, and skirts with trousers, and calls the rest noise",
    "tryon8": "merges all upper garments, all lower garments and all accessories",
}


def _refusal(source: str, target: str) -> str:
    """Why `source` cannot become `target`."""
    if not {source, target} <= _LACKS.keys():  # one is the user's
        return "no conversion is registered (seg_vton.labels.register_conversion)"
    if {source, target} == {"lip20", "cihp20"}:
        return "label 10 is jumpsuits in LIP and torso-skin in CIHP, and neither has the label of the other"
    sides = [any(name.startswith("left-") for name in SPACES[space].classes) for space in (source, target)]
    if sides == [False, True]:
        return f"{source} has no left or right arms, legs and shoes, which {target} tells apart"
    return f"{source} {_LACKS[source]}; {target} needs what is missing, and it cannot be made up"


def unions(name: str) -> Unions:
    """The ids of CP-VTON's head, upper garment and body shape in the label space of that name."""
    return get_space(name).unions


def working_space(name: str) -> str:
    """The space that try-on works in with label maps of the space `name`.

    It is `deepfashion15` where they can become that, as photos are then treated as with a segmenter; else their own,
    which is enough: CP-VTON's person representation is made of a space's own unions. `UserError` where it names no head
    or no upper garment.
    """
    if (name, DEEPFASHION15.name) in _TABLES:
        return DEEPFASHION15.name
    missing = [union for union in ("head", "upper") if not getattr(unions(name), union)]
    if missing:
        raise UserError(f"the label space {name} names no class as {' or '.join(missing)}: see register_space")
    return name


def check_label_map(label_map: np.ndarray, space: str, where: str = "label map") -> None:
    """Raises `UserError` unless `label_map` is an integer array whose ids all belong to `space`.

    `where` is how the message calls the array: a file name, say.
    """
    if not np.issubdtype(label_map.dtype, np.integer):
        raise UserError(f"{where}: a label map holds integer ids, this array holds {label_map.dtype}")
    count = len(get_space(space).classes)
    if label_map.size == 0 or (label_map.min() >= 0 and label_map.max() < count):
        return
    ids = np.unique(label_map)
    bad = ids[(ids < 0) | (ids >= count)].tolist()
    listed = ", ".join(map(str, bad[:20])) + (", ..." if len(bad) > 20 else "")
    raise UserError(
        f"{where}: {space} has the ids 0 to {count - 1}, found also {listed}: "
        "the map is of another label space, or it was resized with interpolation (resize label maps by nearest)"
    )


def is_interpolated(label_map: np.ndarray) -> bool:
    """Whether ids between those of two regions lie between the regions, as a resize with interpolation leaves them.

    They do at a tenth or more of the edges of maps, uint8 `(H, W)`, that were resized so, and at 2 % or less of others:
    of drawn, annotated and predicted ones, at any size.
    """
    edges = between = 0
    for rows in (label_map, label_map.T):
        left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
        edges += np.count_nonzero(left != right)
        between += np.count_nonzero((left < middle) & (middle < right) | (left > middle) & (middle > right))
    return between > max(20, 0.06 * edges)


def conversion_table(source: str, target: str) -> np.ndarray:
    """Target id by source id, uint8 `(number of source classes,)`; id 0 of both is the background.

    `LabelConversionError` where the conversion would have to invent labels; the message says which.
    """
    pair = (get_space(source).name, get_space(target).name)
    if pair not in _TABLES:
        possible = ", ".join(to for (of, to) in _TABLES if of == source and to != source) or "none"
        raise LabelConversionError(
            f"{source} cannot become {target}: {_refusal(*pair)}. Conversions from {source}: {possible}"
        )
    return _TABLES[pair].copy()


def dropped_classes(source: str, target: str) -> tuple[str, ...]:
    """Names of the source classes, the background aside, that become background in the target."""
    table = conversion_table(source, target)
    return tuple(get_space(source).classes[i] for i in np.flatnonzero(table == 0) if i > 0)


def convert(label_map: np.ndarray, source: str, target: str) -> np.ndarray:
    """Converts a label map, integer ids of `source`, to uint8 ids of `target`: a new array of the same shape.

    `UserError` where the map has ids that `source` has not; `LabelConversionError` where the conversion is refused.
    """
    table = conversion_table(source, target)
    check_label_map(label_map, source)
    return table[label_map]


def in_mirror(classes: Sequence[str]) -> np.ndarray:
    """By the index of a class name that of what a mirror shows it as: of left-arm right-arm, of others the same."""
    names, sides = [name.casefold() for name in classes], {"left": "right", "right": "left"}
    others = [re.sub("left|right", lambda side: sides[side[0]], name) for name in names]
    return np.array([names.index(o) if o != names[i] and o in names else i for i, o in enumerate(others)])


def save_palette_png(path: str | Path, label_map: np.ndarray, space: str, overwrite: bool = False) -> None:
    """Writes a label map `(H, W)` as a palette PNG: ids as indices, the space's colors, its name in a text chunk."""
    check_label_map(label_map, space)
    image = Image.fromarray(np.ascontiguousarray(label_map, dtype=np.uint8))
    image.putpalette([value for color in get_space(space).palette for value in color])
    info = PngImagePlugin.PngInfo()
    info.add_text(_PNG_KEY, space)
    with atomic_path(path, overwrite) as temporary:
        image.save(temporary, format="PNG", pnginfo=info)


def load_palette_png(path: str | Path, space: str) -> np.ndarray:
    """Reads a parsing map: the indices of a palette PNG, or the gray levels, of 8 bits or more, of one that has none.

    The colors are not the labels: turning a palette image to gray (as `cv2.imread` does) gives luminance, not ids. They
    tell only a map that was saved with its palette sorted anew. An EXIF orientation is obeyed. Returns uint8 ids
    `(H, W)` of the space of that name.

    Raises:
        UserError: the file is missing or broken, is an RGB picture of a parsing map, says that it is of another space,
            has ids that the space has not, or has the space's colors at other indices.
    """
    with opened_image(path) as image:
        if image.mode != "P" and image.mode != "L" and not image.mode.startswith("I"):
            raise UserError(
                f"{path}: a parsing map is a palette (P) or gray (L) PNG whose values are ids, this one is "
                f"{image.mode}: colors do not name labels; save the map as indices"
            )
        if image.format == "JPEG":
            raise UserError(f"{path}: this parsing map is a JPEG, whatever its name says, which changes ids: write PNG")
        turned = upright(image)
        said = getattr(image, "text", {}).get(_PNG_KEY, space)
        if said != space:
            raise UserError(f"{path}: the file says that its labels are {said}, but {space} was asked for")
        ids = np.array(turned)
        palette = image.getpalette("RGB") if image.mode == "P" else None
    check_label_map(ids, space, where=str(path))
    label_map = ids.astype(np.uint8)
    if palette is not None:
        _check_colors(path, label_map, palette, get_space(space))
    return label_map


def _check_colors(path: str | Path, label_map: np.ndarray, palette: Sequence[int], space: LabelSpace) -> None:
    """Refuses a map all of whose colors are the space's, but at other indices; gray and foreign palettes pass."""
    colors = dict(enumerate(map(tuple, np.reshape(palette, (-1, 3)).tolist())))
    own = dict(enumerate(space.palette))
    moved = {
        label for label, color in colors.items() if label in own and color != own[label] and color in space.palette
    }
    if len(moved) > 1:  # of the file's; which of them are used takes a look at the pixels
        used = set(np.flatnonzero(np.bincount(label_map.ravel())).tolist())
        moved = moved & used if all(colors.get(label) in space.palette for label in used) else set()
    if len(moved) > 1:
        label = min(moved)
        names = space.classes[space.palette.index(colors[label])], space.classes[label]
        raise UserError(
            f"{path}: the palette has the colors of {space.name} at other indices ({label} has that of {names[0]} and "
            f"means {names[1]}): a tool has reordered it, so ids are no longer labels. Use the map as it was first "
            "written, or save the indices of the label space"
        )
