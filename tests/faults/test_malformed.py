"""Files that are broken in seeded ways: each works, or ends in one message that names it; the others are done."""

import json
import random
import resource
import shutil
import traceback

import mutations
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from PIL import Image

from seg_vton.data.coco import CATEGORIES
from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.engine.launch import load_config
from seg_vton.engine.loading import NotedItems
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.labels import save_palette_png
from seg_vton.tryon.data.dataset import TryOnDataset
from seg_vton.tryon.data.pose import read_people

PROMISE = (
    "A broken file works or ends in one message that names it, without a traceback; nothing else of a batch is lost, "
    "and memory stays under 4 GiB."
)
MEMORY = 4 << 30


def number(full, count):
    """How many mutations of a kind: all of them, or a tenth."""
    return count if full else max(6, count // 10)


def mutated(rng, content, kinds):
    kind = rng.choice(kinds)
    return kind.__name__, kind(rng, content)


def attempt(lost, names, what, action):
    """Tries; what is neither done nor said in a message with one of `names` is lost."""
    try:
        action()
    except UserError as error:
        if not any(str(name) in str(error) for name in names) or "Traceback" in str(error):
            lost.append((what, f"not named: {error}"))
    except Exception:  # what is looked for
        lost.append((what, traceback.format_exc()[-1500:]))


def finish(record, name, how, tried, lost):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > MEMORY:
        lost.append(("memory", peak))
    record(f"malformed-{name}", PROMISE, how, tried, lost, peak_gib=round(peak / 2**30, 2))


def test_photos(tiny_coco, tiny_config_file, tiny_weights, tool, record, full, tmp_path):
    """JPEG, PNG and palette PNG in one run of the parser, with good ones between them."""
    rng, lost, photos = random.Random(0), [], tmp_path / "photos"
    photos.mkdir()
    source = Image.open(tiny_coco / "images" / "1.png")
    source.save(tmp_path / "good.jpg")
    source.quantize(16).save(tmp_path / "good.palette.png")
    source.save(tmp_path / "good.png")
    files = {kind: (tmp_path / f"good.{kind}").read_bytes() for kind in ("jpg", "png", "palette.png")}
    bad = []
    for index in range(3 * number(full, 130)):
        kind = list(files)[index % 3]
        sizes = (mutations.jpeg_size if kind == "jpg" else mutations.png_size,) * 2
        name, content = mutated(rng, files[kind], (*mutations.BYTES, *sizes))
        bad.append(photos / f"{index:04}-{name}.{kind}")
        bad[-1].write_bytes(content)
        if index % 10 == 0:
            (photos / f"{index:04}-good.{kind}").write_bytes(files[kind])
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    out = tmp_path / "out"
    settings = ("--out", out, "--device", "cpu", "--write", "label-map")
    ended = tool("parse.py", tiny_config_file, tiny_weights[0], photos, loop, *settings)
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    for path in (*bad, loop):
        lines = sum(f"{path} " in line for line in said)
        done = (out / "records" / f"{path.stem}.json").is_file()
        if lines + done != 1:
            lost.append((path.name, f"{lines} messages", done))
    good = list(photos.glob("*-good.*"))
    lost += [path.name for path in good if not (out / "label-map" / f"{path.stem}.png").is_file()]
    if "Traceback" in ended.err or ended.code != 1 or len(good) < 2:
        lost.append((ended.code, ended.err[-2000:]))
    finish(record, "photos", "JPEG, PNG and palette PNG through tools/parse.py", len(bad) + 1, lost)


@pytest.fixture
def coco(tiny_coco, tmp_path):
    """A copy of the tiny COCO set."""
    return shutil.copytree(tiny_coco, tmp_path / "coco")


def load_all(dataset):
    """Loads every item as a loader's worker does."""
    items = NotedItems(dataset, 0)
    for index in range(len(dataset)):
        items([index])


def build(config, root, ann_file):
    init_default_scope("mmdet")  # a tool that ran before has ended its own
    settings = config.train_dataloader.dataset.copy()
    settings.update(data_root=f"{root}/", ann_file=str(ann_file))
    return DATASETS.build(settings)


def runs(rng, content):
    """A run-length code changed."""
    value = json.loads(content)
    annotation = rng.choice(value["annotations"])
    code = annotation["segmentation"]["counts"]
    place = rng.randrange(len(code))
    other = [code[:place], code[:place] + chr(rng.randrange(1, 200)) + code[place + 1 :], code * 2, code[::-1], ""]
    annotation["segmentation"]["counts"] = rng.choice([*other, [1, 2, 3], [-5, 10**9], None, 7])
    return json.dumps(value).encode()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "count", "kinds"), [("coco-json", 200, mutations.JSON), ("rle", 130, (runs,))])
def test_annotations(name, count, kinds, coco, tiny_config_file, tool, record, full, tmp_path):
    """As a training reads them, and one in ten through the checker of data sets."""
    rng, lost, config = random.Random(name), [], load_config(tiny_config_file)
    good = (coco / "annotations" / "instances.json").read_bytes()
    for index in range(number(full, count)):
        what, content = mutated(rng, good, kinds)
        path = coco / "annotations" / f"{index}.json"
        path.write_bytes(content)
        attempt(lost, [path, coco / "images"], (index, what), lambda path=path: load_all(build(config, coco, path)))
        if index % 10 == 0:
            attempt(lost, [], (index, what, "check"), lambda path=path: tool("data/check.py", path))
        path.unlink()
    finish(record, name, "annotation files as a training reads them, and through tools/data/check.py", index + 1, lost)


def test_tryon_sets(write_set, tool, record, full, tmp_path):
    """Photos, masks, parsing maps, poses and pairs files as a training reads them, and the set through the checker."""
    rng, lost, tried = random.Random(1), [], 0
    pairs = [(f"{index:03}_0.jpg", f"{index:03}_1.jpg") for index in range(number(full, 80))]
    root = tmp_path / "set"
    write_set(root, "viton", "train", pairs, (48, 64))
    settings = {"pairs": "train_pairs.txt", "layout": "viton", "label_space": "lip20", "split": "train"}
    dataset = TryOnDataset(root, image_size=(64, 48), **settings)
    for index, files in enumerate(dataset.files):
        for role in ("image", "cloth_mask", "parse"):
            path, whole = files[role], files[role].read_bytes()
            size = mutations.png_size if whole[:4] == b"\x89PNG" else mutations.jpeg_size
            what, content = mutated(rng, whole, (*mutations.BYTES, size))
            path.write_bytes(content)
            attempt(lost, files.values(), (role, what), lambda index=index: dataset[index])
            if index % 4:
                path.write_bytes(whole)
            tried += 1
        pose, whole = files["pose"], files["pose"].read_bytes()
        what, content = mutated(rng, whole, mutations.JSON)
        pose.write_bytes(content)
        attempt(lost, [pose], ("pose", what), lambda pose=pose: read_people(pose))
        tried += 1
        if index % 4:
            pose.write_bytes(whole)
    attempt(lost, [], "check", lambda: tool("data/check.py", root))
    good = (root / "train_pairs.txt").read_bytes()
    for _ in range(number(full, 80)):
        what, content = mutated(rng, good, mutations.BYTES)
        (root / "other.txt").write_bytes(content)
        names = [root / "other.txt", *(files["pose"] for files in dataset.files)]
        other = {**settings, "pairs": "other.txt"}
        attempt(lost, names, ("pairs", what), lambda other=other: TryOnDataset(root, image_size=(64, 48), **other))
        tried += 1
    finish(record, "try-on", "photos, masks, parsing maps, keypoints and pairs files of a try-on set", tried, lost)


def test_checkpoints_configs_and_matlab_files(tiny_weights, tiny_config_file, tool, record, full, tmp_path):
    rng, lost, tried = random.Random(2), [], 0
    torch.save({"state_dict": {"w": torch.arange(50.0)}, "meta": {"epoch": 1, "a": [1, 2.5]}}, tmp_path / "small.pth")
    good, path = (tmp_path / "small.pth").read_bytes(), tmp_path / "bad.pth"
    for _ in range(number(full, 100)):
        what, content = mutated(rng, good, mutations.BYTES)
        path.write_bytes(content)
        attempt(lost, [path], ("checkpoint", what), lambda: load_checkpoint_file(path))
        tried += 1
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    whole = tiny_weights[0].read_bytes()
    for _ in range(number(full, 20)):
        what, content = mutated(rng, whole, mutations.BYTES)
        path.write_bytes(content)
        ended = tool("parse.py", tiny_config_file, path, photo, "--out", tmp_path / f"out{tried}")
        if "Traceback" in ended.err or (ended.code and f"{path}" not in ended.err):
            lost.append((what, ended.code, ended.err[-1000:]))
        tried += 1
    for config in bad_configs(tmp_path, tiny_config_file):
        attempt(lost, [config], ("config", config.name), lambda config=config: load_config(config))
        tried += 1
    finish(record, "checkpoints", "checkpoints and paths of configs", tried, lost)


def bad_configs(folder, good):
    """Paths that are no configs: missing, folders, loops, other files, cut off, bases missing or circular."""
    texts = {
        "binary.py": b"\x89PNG\r\n\x1a\n\x00\x00",
        "latin.py": "name = 'Rüsche'".encode("latin-1"),
        "cut.py": good.read_bytes()[:200],
        "base.py": b'_base_ = "nowhere.py"',
        "circle.py": b'_base_ = "circle.py"',
        "number.py": b"_base_ = 3",
        "zero.py": b"a = 1 / 0",
        "image.jpg": b"\xff\xd8\xff",
        "broken.json": b"{",
        "broken.yaml": b"a: [",
    }
    for name, content in texts.items():
        (folder / name).write_bytes(content)
    (folder / "loop.py").symlink_to(folder / "loop.py")
    return [*(folder / name for name in texts), folder / "loop.py", folder / "none.py", folder]


def test_clothing_co_parsing(tool, record, full, tmp_path):
    from scipy.io import savemat

    from seg_vton.data.mat import read_mat

    rng, lost = random.Random(3), []
    labels = np.zeros((40, 30), np.uint8)
    labels[5:20, 5:20] = 3
    savemat(tmp_path / "good.mat", {"groundtruth": labels}, do_compression=False)
    savemat(tmp_path / "packed.mat", {"groundtruth": labels}, do_compression=True)
    path = tmp_path / "0001.mat"
    for index in range(number(full, 100)):
        good = (tmp_path / ("good.mat", "packed.mat")[index % 2]).read_bytes()
        what, content = mutated(rng, good, mutations.BYTES)
        path.write_bytes(content)
        attempt(lost, [path], ("mat", what), lambda: read_mat(path, "groundtruth"))
    finish(record, "mat", "annotations of Clothing Co-Parsing", index + 1, lost)


def test_a_png_of_50000_x_50000_is_not_decoded(tiny_coco, record, tmp_path):
    """Wherever an image is opened: photos, masks, parsing maps, the checker, and mmdet's own reader in a training."""
    from seg_vton.data.images import check_pixels
    from seg_vton.labels import load_palette_png
    from seg_vton.parsing.photos import read_photo
    from seg_vton.tryon.data.images import read_mask

    save_palette_png(tmp_path / "good.png", np.zeros((64, 48), np.uint8), "lip20")

    class Huge(random.Random):
        """Chooses the first."""

        def choice(self, options):
            return options[0]

    path, lost = tmp_path / "huge.png", []
    path.write_bytes(mutations.png_size(Huge(0), (tmp_path / "good.png").read_bytes()))
    readers = {
        "photo": lambda: read_photo(path),
        "mask": lambda: read_mask(path, (64, 48)),
        "parsing map": lambda: load_palette_png(path, "lip20"),
        "checker": lambda: check_pixels(path),
    }
    for reader in readers.values():
        with pytest.raises(UserError, match=r"huge\.png"):
            reader()
    entry = {"id": 1, "file_name": "huge.png", "width": 48, "height": 64}
    (tmp_path / "a.json").write_text(json.dumps({"images": [entry], "annotations": [], "categories": CATEGORIES}))
    init_default_scope("mmdet")
    steps = [{"type": "LoadImageFromFile"}]
    files = {"data_root": f"{tmp_path}/", "ann_file": "a.json", "pipeline": steps}
    dataset = DATASETS.build({"type": "ClothingDataset", **files, "data_prefix": {"img": ""}, "test_mode": True})
    attempt(lost, [path], "mmdet", lambda: load_all(dataset))
    finish(record, "huge", "a header of 50,000 x 50,000 pixels at every reader", len(readers) + 1, lost)
    assert read_json(tmp_path / "a.json")["images"]
