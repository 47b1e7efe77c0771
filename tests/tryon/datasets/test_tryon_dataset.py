"""Items of the try-on data set against a slow reading of the same files, and data that is at fault."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from PIL import Image
from torchvision.transforms import functional as F
from tryon_pipelines import STEPS, build, changed

from seg_vton.analysis.published import published_inputs
from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, LabelConversionError, convert, get_space, save_palette_png
from seg_vton.registry import DATASETS
from seg_vton.tryon.datasets import TryOnDataset, dataset
from seg_vton.tryon.datasets.layouts import Place, get_layout, register_layout

PAIRS = [("000001_0.jpg", "000001_1.jpg"), ("000002_0.jpg", "000002_1.jpg")]
HD_PAIRS = [("00006_00.jpg", "00006_00.jpg"), ("00008_00.jpg", "00008_00.jpg")]


def dolls_of(root, pairs="train_pairs.txt", split="train", **options):
    options = {"layout": "paper_doll", "label_space": "deepfashion15", "image_size": (64, 48), **options}
    return build(root, pairs=pairs, split=split, **options)


def unpaired_of(root, **options):
    return dolls_of(root, "test_unpaired_pairs.txt", "test", **options)


class _Reader(BaseTransform):
    """A step of one's own, which reads a role of one's own."""

    def __init__(self, role):
        self.roles = (role,)

    def transform(self, results):
        path = results["files"][self.roles[0]]
        results["inputs"][self.roles[0]] = np.asarray(Image.open(path), np.float32)[None]
        return results


@pytest.fixture
def warnings(monkeypatch):
    """What the data set logs."""
    messages = []
    monkeypatch.setattr(dataset, "print_log", lambda message, **_: messages.append(message))
    return messages


def photo_tensor(picture):
    return F.normalize(F.to_tensor(picture), [0.5] * 3, [0.5] * 3)


def raw_joints(path, columns):
    content = json.loads(path.read_text())
    values = content["keypoints"] if "keypoints" in content else next(iter(content["people"][0].values()))
    joints = np.reshape(values, (-1, columns))[:, :2]
    return joints if len(joints) == 18 else np.delete(joints, [8, *range(19, 25)], axis=0)


def test_an_item_of_the_dolls_is_the_published_preprocessing_of_its_files(tiny_dolls):
    item = dolls_of(tiny_dolls)[2]
    folder, space = tiny_dolls / "train", get_space("deepfashion15")
    photo, cloth = Image.open(folder / "image/000003_0.jpg"), Image.open(folder / "cloth/000003_1.jpg")
    parse = np.array(Image.open(folder / "image-parse/000003_0.png"))
    joints = raw_joints(folder / "pose/000003_0_keypoints.json", 3)
    expected = published_inputs(photo, parse, joints, space.unions, radius=1)
    expected["cloth"] = photo_tensor(cloth)
    mask = np.array(Image.open(folder / "cloth-mask/000003_1.jpg")) >= 128
    expected["cloth_mask"] = torch.from_numpy(mask.astype(np.float32))[None]
    expected["parse"] = torch.from_numpy(convert(parse, "deepfashion15", "tryon8").astype(np.int64))
    assert item["inputs"].keys() == expected.keys()
    for key, value in expected.items():
        assert item["inputs"][key].dtype == value.dtype
        assert torch.equal(item["inputs"][key], value), key
    assert (expected["agnostic"][4:] == 1).any((1, 2)).sum() > 8


def test_sample_names_the_pair_and_its_files(tiny_dolls):
    sample = unpaired_of(tiny_dolls)[1]["data_samples"]
    assert sample.metainfo == {
        "person": "000002_0",
        "garment": sample.garment,
        "paired": False,
        "ori_shape": (64, 48),
        "img_shape": (64, 48),
        "label_space": "tryon8",
        "image_path": str(tiny_dolls / "test/image/000002_0.jpg"),
        "cloth_path": str(tiny_dolls / f"test/cloth/{sample.garment}.jpg"),
    }
    line = (tiny_dolls / "test_unpaired_pairs.txt").read_text().split()[2:4]
    assert line == [f"{sample.person}.jpg", f"{sample.garment}.jpg"]
    assert dolls_of(tiny_dolls)[0]["data_samples"].paired


def test_the_unpaired_dolls_have_a_truth(tiny_dolls):
    item = unpaired_of(tiny_dolls)[1]["inputs"]
    truth = Image.open(tiny_dolls / "test/unpaired/000002_0.jpg")
    assert torch.equal(item["target"], photo_tensor(truth))
    parse = np.array(Image.open(tiny_dolls / "test/unpaired-parse/000002_0.png"))
    assert np.array_equal(item["target_parse"], convert(parse, "deepfashion15", "tryon8"))
    assert torch.equal(item["image"], photo_tensor(Image.open(tiny_dolls / "test/image/000002_0.jpg")))
    assert not torch.equal(item["image"], item["target"])


def test_pairs_that_the_truth_is_not_of_have_none(dolls):
    (dolls / "mine.txt").write_text("000001_0.jpg 000001_1.jpg\n000001_0.jpg 000002_1.jpg\n")
    assert "target" not in dolls_of(dolls, "mine.txt", "test")[1]["inputs"]
    assert "target" not in unpaired_of(dolls, layout="viton")[0]["inputs"]


def test_own_garments_make_a_paired_set_of_an_unpaired_list(tiny_dolls):
    data = unpaired_of(tiny_dolls, own_garments=True)
    assert [(p.person, p.garment) for p in data.pairs] == [(f"00000{i}_0.jpg", f"00000{i}_1.jpg") for i in (1, 2, 3)]
    assert data[0]["data_samples"].paired
    assert "target" not in data[0]["inputs"]


def test_own_garments_count_a_person_once_who_is_in_several_lines(dolls):
    (dolls / "several.txt").write_text("000001_0.jpg 000002_1.jpg\n000001_0.jpg 000003_1.jpg\n")
    assert len(dolls_of(dolls, "several.txt", "test", own_garments=True)) == 1


@pytest.mark.parametrize(
    ("layout", "pairs", "places", "columns", "resampling"),
    [
        ("viton_hd", HD_PAIRS, ("train/image", "train/image-parse-v3", "train/openpose_json"), 3, "BILINEAR"),
        ("dresscode", PAIRS, ("images", "label_maps", "keypoints"), 4, "BICUBIC"),
    ],
)
def test_other_layouts_are_read_and_resized(tmp_path, write_set, layout, pairs, places, columns, resampling):
    write_set(tmp_path, layout, "train", pairs, (60, 80))
    size, space = (32, 48), {"viton_hd": "cihp20", "dresscode": "atr18"}[layout]
    garment = {"garment_classes": ("upper-clothes", "dress")} if layout == "dresscode" else {}
    steps = changed("CPVTONAgnostic", pose_radius=5)
    data = build(tmp_path, "train_pairs.txt", layout, space, "train", pipeline=steps, image_size=size[::-1], **garment)
    item, resampling = data[1], Image.Resampling[resampling]
    photo, parse, pose = (sorted((tmp_path / place).iterdir())[-1] for place in places)
    photo = tmp_path / places[0] / pairs[1][0]
    frame = (384, 512) if layout == "dresscode" else (60, 80)
    joints = raw_joints(pose, columns) * [size[0] / frame[0], size[1] / frame[1]]
    labels = np.array(Image.open(parse).resize(size, Image.Resampling.NEAREST))
    expected = published_inputs(Image.open(photo).resize(size, resampling), labels, joints, get_space(space).unions)
    for key, value in expected.items():
        assert torch.equal(item["inputs"][key], value), key
    assert item["data_samples"].ori_shape == (80, 60)
    assert item["data_samples"].img_shape == (48, 32)
    assert item["inputs"]["cloth_mask"].sum() == 16 * 24
    assert item["data_samples"].paired


def test_the_first_viton_hd_release_has_other_folder_names(tmp_path, write_set):
    write_set(tmp_path, "viton_hd", "test", HD_PAIRS, (32, 48))
    for old, new in (("image-parse-v3", "image-parse"), ("openpose_json", "openpose-json")):
        (tmp_path / "test" / old).rename(tmp_path / "test" / new)
    data = build(tmp_path, "test_pairs.txt", "viton_hd", "cihp20", "test", image_size=(48, 32))
    assert data[0]["inputs"]["agnostic"].shape == (22, 48, 32)


def test_garments_of_dresscode_need_their_classes(tmp_path, write_set, warnings):
    root = tmp_path / "set"
    write_set(root, "dresscode", "train", PAIRS, (32, 48))
    arguments = {"layout": "dresscode", "label_space": "atr18", "split": "train", "image_size": (48, 32)}
    with pytest.raises(UserError, match=r"of the layout dresscode have upper or lower garments: name the classes"):
        build(root, "train_pairs.txt", **arguments)
    data = build(root, "train_pairs.txt", **arguments, garment_classes=("pants", "skirt"))
    parse = np.array(Image.open(root / "label_maps" / "000001_4.png"))
    assert np.array_equal(data[0]["inputs"]["parse_cloth_mask"][0], np.isin(parse, (5, 6)))
    save_palette_png(root / "label_maps" / "000001_4.png", np.full((48, 32), 4), "atr18", overwrite=True)
    build(root, "train_pairs.txt", **arguments, garment_classes=("pants", "skirt"))
    assert "no skirt or pants in the parsing map: 1 found in 2 pairs checked" in " ".join(warnings)


def test_exported_warps_are_read_when_named(dolls, tmp_path):
    warps = tmp_path / "warps"
    levels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    for folder, content in (("warp-cloth", levels), ("warp-mask", levels[..., 0])):
        (warps / folder).mkdir(parents=True)
        for number in range(1, 6):
            Image.fromarray(content).save(warps / folder / f"00000{number}_0_00000{number}_1.png")
    folders = {"warped_cloth": str(warps / "warp-cloth"), "warped_mask": str(warps / "warp-mask")}
    inputs = dolls_of(dolls, folders=folders)[0]["inputs"]
    assert torch.equal(inputs["warped_cloth"], photo_tensor(Image.fromarray(levels)))
    assert np.array_equal(inputs["warped_mask"][0], levels[..., 0] >= 128)
    assert "warped_cloth" not in dolls_of(dolls)[0]["inputs"]


def test_another_folder_of_parsing_maps(dolls):
    (dolls / "train" / "predicted").mkdir()
    for number in range(1, 6):
        save_palette_png(dolls / "train/predicted" / f"00000{number}_0.png", np.ones((64, 48), int), "deepfashion15")
    inputs = dolls_of(dolls, folders={"parse": "predicted"})[0]["inputs"]
    assert inputs["parse_cloth_mask"].all()


def test_parsing_maps_of_cp_vton_plus_close_the_hole_at_the_neck(dolls):
    folder, space = dolls / "train" / "image-parse-new", get_space("lip21")
    folder.mkdir()
    parse = np.zeros((64, 48), np.uint8)
    parse[16:32], parse[32:48] = space.id_of("neck"), space.id_of("upper-clothes")
    for number in range(1, 6):
        Image.fromarray(parse).save(folder / f"00000{number}_0.png")  # gray, as its code writes them
    folders = {"parse": "image-parse-new"}
    inputs = dolls_of(dolls, label_space="lip21", folders=folders)[0]["inputs"]
    assert (inputs["agnostic"][0, 20:44] > 0).all()
    assert np.array_equal(inputs["parse_cloth_mask"][0], parse == 5)
    assert (inputs["parse"][parse == 20] == get_space("tryon8").id_of("skin")).all()
    with pytest.raises(UserError, match="lip20 has the ids 0 to 19, found also 20"):
        dolls_of(dolls, label_space="lip20", folders=folders)[0]


def test_a_class_without_an_auxiliary_label_is_ignored(dolls):
    parse = np.zeros((64, 48), np.uint8)
    space = get_space("dfmm24")
    parse[:8], parse[8:16] = space.id_of("ring"), space.id_of("top")
    save_palette_png(dolls / "train/image-parse/000001_0.png", parse, "dfmm24", overwrite=True)
    (dolls / "train_pairs.txt").write_text("000001_0.jpg 000001_1.jpg\n")
    steps = changed("AuxTarget", label_space="deepfashion15")
    item = dolls_of(dolls, label_space="dfmm24", pipeline=steps)[0]["inputs"]["parse"]
    assert (item[:8] == IGNORE_INDEX).all()
    assert (item[8:16] == get_space("deepfashion15").id_of("top")).all()
    assert (item[16:] == 0).all()


@pytest.mark.parametrize(("radius", "rows", "side"), [(5, 64, 11), (None, 256, 11), (None, 128, 5), (None, 48, 1)])
def test_pose_radius(tiny_dolls, radius, rows, side):
    size, steps = (rows, rows * 3 // 4), changed("CPVTONAgnostic", pose_radius=radius)
    agnostic = dolls_of(tiny_dolls, image_size=size, pipeline=steps)[0]["inputs"]["agnostic"]
    assert (agnostic[4:] == 1).sum((1, 2)).max() == side**2


def test_metainfo_is_of_the_auxiliary_space(tiny_dolls):
    space = get_space("tryon8")
    expected = {"classes": space.classes, "palette": list(space.palette), "label_space": "tryon8"}
    assert dolls_of(tiny_dolls).metainfo == expected


def test_runner_loads_batches_in_workers(tiny_dolls):
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(
                type="TryOnDataset",
                _scope_="seg_vton",
                data_root=str(tiny_dolls),
                pairs="test_unpaired_pairs.txt",
                layout="paper_doll",
                label_space="deepfashion15",
                split="test",
                image_size=[64, 48],
                pipeline=STEPS,
            ),
            sampler=dict(type="DefaultSampler", shuffle=False),
            collate_fn=dict(type="default_collate"),
            batch_size=2,
            num_workers=1,
        )
    )
    batches = list(loader)
    assert [len(batch["data_samples"]) for batch in batches] == [2, 1]
    assert batches[0]["inputs"]["agnostic"].shape == (2, 22, 64, 48)
    alone = unpaired_of(tiny_dolls)
    expected = default_collate([alone[0], alone[1]])["inputs"]
    assert batches[0]["inputs"].keys() == expected.keys()
    assert all(torch.equal(batches[0]["inputs"][key], value) for key, value in expected.items())
    assert DATASETS.get("TryOnDataset") is TryOnDataset


def test_files_without_people_are_counted_once(dolls, warnings):
    for number in (2, 3):
        (dolls / f"train/pose/00000{number}_0_keypoints.json").write_text('{"people": []}')
    data = dolls_of(dolls)
    assert len(warnings) == 1
    assert "pose without people: 2 found in 5 pairs checked" in warnings[0]
    assert "000002_0_keypoints.json" in warnings[0]
    assert (data[1]["inputs"]["agnostic"][4:] == -1).all()
    assert (data[0]["inputs"]["agnostic"][4:] == 1).any()


def test_of_several_people_the_one_on_the_body_is_trained_on(dolls):
    path = dolls / "train/pose/000001_0_keypoints.json"
    content = json.loads(path.read_text())
    (own,) = content["people"]
    alone = dolls_of(dolls)[0]["inputs"]["agnostic"]
    numbers = np.reshape(own["pose_keypoints"], (18, 3)) * (0.1, 0.1, 1)
    bystander = dict.fromkeys(own, numbers.ravel().tolist())
    path.write_text(json.dumps({**content, "people": [bystander, own]}))
    assert torch.equal(dolls_of(dolls)[0]["inputs"]["agnostic"], alone)


def invert_mask(root):
    path = root / "train/cloth-mask/000002_1.jpg"
    Image.eval(Image.open(path), lambda level: 255 - level).save(path)


def widen_photo(root):
    for role, name in (("image", "000002_0.jpg"), ("image-parse", "000002_0.png")):
        path = root / "train" / role / name
        Image.open(path).resize((56, 64), Image.Resampling.NEAREST).save(path)


def change_joints(change):
    def write(root):
        path = root / "train/pose/000002_0_keypoints.json"
        content = json.loads(path.read_text())
        joints = np.reshape(content["people"][0]["pose_keypoints"], (18, 3))
        joints[:, :2] = np.where(joints[:, :2] > 0, change(joints[:, :2]), 0)
        path.write_text(json.dumps({"people": [{"pose_keypoints_2d": joints.ravel().tolist()}]}))

    return write


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (invert_mask, r"garment mask that is not of the garment: 1 found in 5 .*000002_1.jpg shows the background"),
        (widen_photo, r"another aspect ratio.*: 1 found in 5 .*000002_0.jpg is 56x64"),
        (change_joints(lambda xy: xy * 2), r"joint outside the picture: 1 found in 5 .*000002_0_keypoints.json"),
        (
            change_joints(lambda xy: xy * 0.1 + 1.5),
            r"pose beside the person: 1 found in 5 .*000002_0_keypoints.json: 0 of",
        ),
    ],
)
def test_odd_files_are_named_when_the_set_is_built(dolls, warnings, spoil, said):
    spoil(dolls)
    dolls_of(dolls)
    assert len(warnings) == 1
    assert re.search(said, warnings[0])


def test_unusable_files_end_a_training_before_its_first_step(dolls):
    path = dolls / "train/image-parse/000003_0.png"
    Image.open(path).convert("RGB").quantize(16).save(path)
    with pytest.raises(UserError, match=r"000003_0.png: the palette has the colors of deepfashion15 at other indices"):
        dolls_of(dolls)


def test_photos_of_one_name_in_two_folders(dolls):
    """Their files are in folders of the same names; one file for both is refused."""
    for folder, name in (("image", "{}_0.jpg"), ("image-parse", "{}_0.png"), ("pose", "{}_0_keypoints.json")):
        for number, place in ((1, "a"), (2, "b")):
            (dolls / "train" / folder / place).mkdir(parents=True)
            source = dolls / "train" / folder / name.format(f"00000{number}")
            shutil.copy(source, dolls / "train" / folder / place / name.format("me"))
    (dolls / "pairs.txt").write_text("a/me_0.jpg 000001_1.jpg\nb/me_0.jpg 000002_1.jpg\n")
    data, flat = dolls_of(dolls, "pairs.txt"), dolls_of(dolls)
    for index in range(2):
        for key, value in flat[index]["inputs"].items():
            assert torch.equal(data[index]["inputs"][key], value), key
    assert [data[index]["data_samples"].person for index in range(2)] == ["a--me_0", "b--me_0"]
    for place in ("a", "b"):
        (dolls / "train/pose" / place / "me_0_keypoints.json").rename(dolls / "train/pose/me_0_keypoints.json")
    with pytest.raises(UserError, match=r"me_0_keypoints.json would be of .*a/me_0.jpg and of .*b/me_0.jpg"):
        dolls_of(dolls, "pairs.txt")


def test_training_on_others_garments_is_warned_of(dolls, warnings):
    (dolls / "mixed.txt").write_text("000001_0.jpg 000001_1.jpg\n000002_0.jpg 000003_1.jpg\n")
    dolls_of(dolls, "mixed.txt")
    assert len(warnings) == 1
    assert "1 of 2 persons do not wear the garment of their line; training treats" in warnings[0]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("layout", ["viton", "viton_hd"])
def test_names_that_do_not_pair_are_of_worn_garments_where_the_data_set_says_so(
    tmp_path, write_set, warnings, split, layout
):
    write_set(tmp_path, layout, split, [("p-7.jpg", "g-A.jpg"), ("p-8.jpg", "g-B.jpg")], (36, 48))
    where = {"pairs": f"{split}_pairs.txt", "layout": layout, "split": split, "image_size": (48, 36)}
    for paired, said in ((None, 1), (True, 0), (False, 0)):
        data = build(tmp_path, label_space=get_layout(layout).published_space, paired=paired, **where)
        assert data[0]["data_samples"].paired is bool(paired)
        assert sum("2 of 2 persons do not wear" in text and "paired=True" in text for text in warnings) == said
        warnings.clear()


def test_a_test_of_others_garments_with_a_truth_is_not_warned_of(tiny_dolls, warnings):
    unpaired_of(tiny_dolls)
    assert not warnings


def test_missing_files_are_listed_before_training(dolls):
    lines = [f"{name}_0.jpg {name}_1.jpg\n" for name in ("000001", "gone1", "gone2", "gone3")]
    (dolls / "train_pairs.txt").write_text("".join(lines))
    with pytest.raises(UserError, match=r"missing: 15 of the files that .*train_pairs.txt asks") as error:
        dolls_of(dolls)
    message = str(error.value)
    assert message.count("gone") == 10
    assert str(dolls / "train/image/gone1_0.jpg") in message
    assert "  ..." in message


def test_a_missing_file_of_two_pairs_counts_once(dolls):
    (dolls / "train/cloth/000001_1.jpg").unlink()
    (dolls / "pairs.txt").write_text("000001_0.jpg 000001_1.jpg\n000002_0.jpg 000001_1.jpg\n")
    with pytest.raises(UserError, match="missing: 1 of the files"):
        dolls_of(dolls, "pairs.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layout": "mpv"}, "unknown layout 'mpv'"),
        ({"label_space": "lip"}, "unknown label space 'lip'"),
        ({"pipeline": changed("AuxTarget", label_space="tryon9")}, "unknown label space 'tryon9'"),
        ({"pairs": "val_pairs.txt"}, "val_pairs.txt does not exist"),
        ({"split": "val"}, r"found no folder for image: .*val.*image does not exist.*folders=dict\(image=...\)"),
        ({"folders": {"parses": "x"}}, "folders has parses; known: image, cloth"),
        ({"folders": {"parse": "image-parse-new"}}, "found no folder for parse"),
        ({"garment_classes": ("shirt",)}, "deepfashion15 has no label 'shirt'"),
        ({"image_size": (8, 8)}, r"image_size is \(8, 8\)"),
        ({"image_size": (256,)}, "image_size is"),
        ({"pipeline": changed("CPVTONAgnostic", pose_radius=-1)}, "pose_radius is -1"),
        (
            {"pipeline": [*STEPS, lambda results: results, _Reader("depth")]},
            "reads depth, for which layout paper_doll has",
        ),
    ],
)
def test_arguments_at_fault(tiny_dolls, options, said):
    with pytest.raises(UserError, match=said):
        dolls_of(tiny_dolls, **options)


def test_a_conversion_that_would_invent_labels_is_refused(tiny_dolls):
    with pytest.raises(LabelConversionError, match="left or right"):
        dolls_of(tiny_dolls, pipeline=changed("AuxTarget", label_space="lip20"))


def test_a_missing_folder_is_named(dolls):
    shutil.rmtree(dolls / "train" / "pose")
    with pytest.raises(UserError, match=r"found no folder for pose: .*pose does not exist"):
        dolls_of(dolls)


def test_a_broken_pose_shows_before_training(dolls):
    (dolls / "train/pose/000003_0_keypoints.json").write_text('{"people": [{"pose_keypoints": [1, 2, 3]}]}')
    with pytest.raises(UserError, match=r"000003_0_keypoints.json: expected .*54, 75 or 51 numbers"):
        dolls_of(dolls)


def test_the_wrong_label_space_is_refused(tiny_dolls):
    with pytest.raises(UserError, match=r"000001_0.png: the file says that its labels are deepfashion15, but lip20"):
        dolls_of(tiny_dolls, label_space="lip20")[0]


def test_a_colored_parse_is_refused(dolls):
    path = dolls / "train/image-parse/000001_0.png"
    Image.open(path).convert("RGB").save(path)
    with pytest.raises(UserError, match=r"000001_0.png: .* this one is RGB"):
        dolls_of(dolls)[0]


def test_a_truncated_photo_is_named(dolls):
    path = dolls / "train/image/000001_0.jpg"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"000001_0.jpg is not a whole image"):
        dolls_of(dolls)[0]


def test_a_role_of_ones_own_layout_is_found_for_the_step_that_reads_it(dolls):
    viton = get_layout("viton")
    (dolls / "train" / "image").rename(dolls / "train" / "persons")
    places = {**viton.places, "image": Place(("persons",), ("{person_file}",))}
    places["depth"] = Place(("depth-maps",), ("{person}.png",))
    register_layout(replace(viton, name="test_of_depth", places=places))
    (dolls / "train" / "depth-maps").mkdir()
    for number in range(1, 6):
        Image.fromarray(np.full((64, 48), number, np.uint8)).save(dolls / f"train/depth-maps/00000{number}_0.png")
    data = dolls_of(dolls, layout="test_of_depth", pipeline=[*STEPS[:-1], _Reader("depth"), STEPS[-1]])
    assert (data[2]["inputs"]["depth"] == 3).all()
    assert "depth" not in dolls_of(dolls, layout="test_of_depth").files[0]


def test_what_is_loaded_already_is_left_alone(tiny_dolls):
    """As `TryOn` runs the steps: on arrays, without files."""
    steps = dataset.build_pipeline(step for step in STEPS if step["type"] not in ("GarmentTargets", "AuxTarget"))
    rng = np.random.default_rng(0)
    arrays = {
        "photo": rng.integers(0, 256, (64, 48, 3), dtype=np.uint8),
        "parsing": rng.integers(0, 16, (64, 48), dtype=np.uint8),
        "cloth": rng.integers(0, 256, (64, 48, 3), dtype=np.uint8),
        "cloth_mask": rng.random((64, 48)) < 0.5,
    }
    given = {**arrays, "parsing_space": "deepfashion15", "joints": None, "image_size": (64, 48), "inputs": {}}
    item = steps(given)
    assert item["inputs"].keys() == {"image", "cloth", "cloth_mask", "agnostic"}
    assert torch.equal(item["inputs"]["image"], photo_tensor(Image.fromarray(arrays["photo"])))
    assert np.array_equal(item["inputs"]["cloth_mask"][0], arrays["cloth_mask"])
    assert (item["inputs"]["agnostic"][4:] == -1).all()


def test_a_map_without_a_face_gets_one_from_the_pose(dolls):
    space, path = get_space("deepfashion15"), dolls / "train/image-parse/000001_0.png"
    truth = np.array(Image.open(path))
    faceless = np.where(truth == space.id_of("face"), space.id_of("skin"), truth)
    save_palette_png(path, faceless, "deepfashion15", overwrite=True)
    face = get_space("tryon8").id_of("face+eyeglass")
    with_face, without = (
        dolls_of(dolls, pipeline=steps)[0]["inputs"]["parse"] == face
        for steps in (STEPS, [step for step in STEPS if step["type"] != "FaceFromPose"])
    )
    assert with_face.sum() > without.sum()
