"""VITON-HD's agnostic image and parse agnostic, drawn a second time here as the published scripts draw them."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tryon_pipelines import STEPS, build

from seg_vton.errors import UserError
from seg_vton.labels import SPACES, convert, get_space
from seg_vton.tryon.datasets.viton_hd import GRAY, agnostic_image, agnostic_parse, hidden_region

SIZE = (1024, 768)
BODY_25 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]


def body(**moved):
    """Joints in OpenPose's 18: a person who stands; `moved` has other places by number, as j4=(0, 0)."""
    joints = np.zeros((18, 2))
    places = {0: (380, 180), 1: (384, 300), 2: (290, 310), 3: (230, 480), 4: (300, 640), 5: (480, 300), 6: (560, 470)}
    for joint, place in {**places, 7: (540, 660), 8: (330, 650), 11: (440, 655)}.items():
        joints[joint] = moved.get(f"j{joint}", place)
    return joints


def random_map(space, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, len(get_space(space).classes), (32, 24), np.uint8)
    return small.repeat(32, 0).repeat(32, 1)


def published(parse, joints):
    """The agnostic mask and the parse agnostic of CIHP's labels at 1024 x 768, step by step."""
    pose = np.zeros((25, 2))
    pose[BODY_25] = joints
    gray, missing = Image.new("L", (768, 1024)), (pose == 0).all(1)
    draw = ImageDraw.Draw(gray)
    shoulders, hips = np.linalg.norm(pose[5] - pose[2]), np.linalg.norm(pose[12] - pose[9])
    middle, moved = (pose[9] + pose[12]) / 2, pose.copy()
    for hip in (9, 12):
        moved[hip] = middle + (pose[hip] - middle) / hips * shoulders
    r = int(shoulders / 16) + 1

    def at(*names):
        return [tuple(moved[name]) for name in names]

    def oval(draw, place, x, y):
        draw.ellipse((place[0] - x, place[1] - y, place[0] + x, place[1] + y), 1, 1)

    draw.line(at(2, 5), 1, r * 10)
    for joint in (2, 5):
        oval(draw, moved[joint], r * 5, r * 5)
    for joint in (3, 4, 6, 7):
        if not (missing[joint - 1] or missing[joint]):
            draw.line(at(joint - 1, joint), 1, r * 10)
            oval(draw, moved[joint], r * 5, r * 5)
    for joint in (9, 12):
        oval(draw, moved[joint], r * 3, r * 6)
    draw.line(at(2, 9), 1, r * 6)
    draw.line(at(5, 12), 1, r * 6)
    draw.line(at(9, 12), 1, r * 12)
    draw.polygon(at(2, 5, 12, 9), 1, 1)
    x, y = moved[1]
    draw.rectangle((x - r * 7, y - r * 7, x + r * 7, y + r * 7), 1, 1)
    mask = np.asarray(gray, bool) & ~np.isin(parse, (4, 13, 9, 12, 16, 17, 18, 19))

    without = np.where(np.isin(parse, (5, 6, 7, 10)), 0, parse)
    for label, joints in ((14, (2, 5, 6, 7)), (15, (5, 2, 3, 4))):
        arm = Image.new("L", (768, 1024))
        before = joints[0]
        for joint in joints[1:]:
            if missing[before] or missing[joint]:
                continue
            ImageDraw.Draw(arm).line([tuple(pose[before]), tuple(pose[joint])], 1, 100)
            oval(ImageDraw.Draw(arm), pose[joint], *(2 * [40 if joint == joints[-1] else 150]))
            before = joint
        without[np.asarray(arm, bool) & (parse == label)] = 0
    return mask, without


@pytest.mark.parametrize("moved", [{}, {"j4": (0, 0)}, {"j6": (0, 0)}, {"j2": (300, 340), "j8": (350, 700)}])
def test_drawn_as_published(moved):
    parse, joints = random_map("cihp20"), body(**moved)
    parse[parse == 8] = 0  # socks, which the published scripts leave to the gray
    mask, without = published(parse, joints)
    assert np.array_equal(hidden_region(parse, joints, "cihp20").region, mask)
    assert np.array_equal(agnostic_parse(parse, joints, "cihp20"), without)


def test_gray_hides_arms_and_torso_and_nothing_of_face_or_trousers():
    parse = random_map("cihp20")
    photo = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    region = hidden_region(parse, body(), "cihp20").region
    image = agnostic_image(photo, region)
    assert (image[region] == GRAY).all()
    assert np.array_equal(image[~region], photo[~region])
    assert not (region & np.isin(parse, (9, 13))).any()
    for joint in (1, 2, 3, 6):
        x, y = body()[joint].astype(int)
        assert region[y, x] or parse[y, x] in (4, 8, 9, 12, 13, 16, 17, 18, 19)


@pytest.mark.parametrize("joints", [None, body(j2=(0, 0)), body(j8=(0, 0), j11=(0, 0))])
def test_without_shoulders_or_hips_the_garment_is_hidden_by_a_rectangle(joints):
    parse = np.zeros(SIZE, np.uint8)
    parse[320:640, 300:460] = get_space("deepfashion15").id_of("top")
    assert hidden_region(parse, joints, "deepfashion15").region[320:640, 300:460].all()


@pytest.mark.parametrize("space", [name for name in SPACES if name != "ccp59"])
def test_every_space_loses_its_upper_garment_and_keeps_its_face(space):
    parse = random_map(space)
    without, names = agnostic_parse(parse, body(), space), get_space(space).classes
    assert not np.isin(without, get_space(space).unions.upper).any()
    changed = {names[label] for label in np.unique(parse[parse != without])}
    skin = {"skin", "left-arm", "right-arm", "arms", "hands", "torso", "torso-skin", "neck"}
    assert changed <= skin | {names[label] for label in get_space(space).unions.upper}
    face = np.isin(convert(parse, space, "tryon8"), 2)
    assert not (hidden_region(parse, body(), space).region & face).any()


def test_hands_on_the_torso_stay_where_skin_is_one_label():
    parse = np.zeros(SIZE, np.uint8)
    hand, neck = np.s_[655:690, 310:345], np.s_[320:360, 360:400]
    parse[hand] = parse[neck] = get_space("deepfashion15").id_of("skin")
    without = agnostic_parse(parse, body(j3=(230, 480), j4=(290, 600)), "deepfashion15")
    assert (without[hand] > 0).mean() > 0.9
    assert not without[neck].any()


def test_transform(tiny_dolls):
    """Photo in gray, then pose maps; the GMM's and the TOM's other inputs are as ever."""
    steps = [{**step, "type": "VITONHDAgnostic"} if step["type"] == "CPVTONAgnostic" else step for step in STEPS]
    options = {"split": "train", "image_size": (64, 48)}
    lower = {"pipeline": steps, "garment_classes": ("pants", "skirt"), **options}
    with pytest.raises(UserError, match="VITONHDAgnostic shows pants, skirt, which garment_classes says are to be"):
        build(tiny_dolls, "train_pairs.txt", "paper_doll", "deepfashion15", **lower)[0]
    ours = build(tiny_dolls, "train_pairs.txt", "paper_doll", "deepfashion15", pipeline=steps, **options)[0]["inputs"]
    known = build(tiny_dolls, "train_pairs.txt", "paper_doll", "deepfashion15", **options)[0]["inputs"]
    agnostic, gray = ours["agnostic"], torch.full((3, 1, 1), (GRAY / 255 - 0.5) / 0.5)
    assert agnostic.shape == (21, 64, 48)
    assert torch.equal(agnostic[3:], known["agnostic"][4:])
    hidden = ((agnostic[:3] - gray).abs() < 1e-6).all(0)
    assert torch.equal(agnostic[:3].where(~hidden, gray), ours["image"].where(~hidden, gray))
    assert hidden[known["parse_cloth_mask"][0] > 0].float().mean() > 0.9
    assert all(torch.equal(ours[key], known[key]) for key in known if key != "agnostic")
