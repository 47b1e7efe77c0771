"""Files that are broken in seeded ways: each works, or ends in one message that names it; the others are done."""

import json
import random
import resource
import shutil
import traceback
from pathlib import Path

import moments
import mutations
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from PIL import Image
from tryon_pipelines import build as build_pairs

from seg_vton.coco import categories
from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.labels import CCP59, CLOTHING_CLASSES, save_palette_png
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import read_photo
from seg_vton.pose.keypoints import read_people

PROMISE = (
    "A tool reads a broken file or prints one message that names it, without a traceback. The other files of a batch "
    "are done, and memory stays under 4 GiB."
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
    record("Malformed", f"malformed-{name}", PROMISE, how, tried, lost, peak_gib=round(peak / 2**30, 2))


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
    """Loads every item."""
    for index in range(len(dataset)):
        dataset[index]


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
    dataset = build_pairs(root, image_size=(64, 48), **settings)
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
        attempt(lost, [pose], ("pose", what), lambda pose=pose: read_people(pose, (48, 64)))
        tried += 1
        if index % 4:
            pose.write_bytes(whole)
    attempt(lost, [], "check", lambda: tool("data/check.py", root))
    good = (root / "train_pairs.txt").read_bytes()
    for _ in range(number(full, 80)):
        what, content = mutated(rng, good, mutations.BYTES)
        (root / "other.txt").write_bytes(content)
        names = [root / "other.txt", *(path for files in dataset.files for path in files.values())]
        other = {**settings, "pairs": "other.txt"}
        attempt(lost, names, ("pairs", what), lambda other=other: build_pairs(root, image_size=(64, 48), **other))
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
        "image.jpg": b"\xff\xd8\xff",
        "broken.json": b"{",
        "broken.yaml": b"a: [",
    }
    for name, content in texts.items():
        (folder / name).write_bytes(content)
    (folder / "loop.py").symlink_to(folder / "loop.py")
    return [*(folder / name for name in texts), folder / "loop.py", folder / "none.py", folder]


def test_clothing_co_parsing(tool, record, full, tmp_path):
    """Annotations and the list of labels through tools/data/ccp.py: a conversion of all or nothing."""
    from scipy.io import savemat

    rng, lost, source = random.Random(3), [], tmp_path / "source"
    for folder in ("photos", "annotations/pixel-level"):
        (source / folder).mkdir(parents=True)
    labels = np.zeros((40, 30), np.uint8)
    labels[5:20, 5:20] = 3
    names = np.empty((1, len(CCP59.classes)), dtype=object)
    names[0] = ["null", *CCP59.classes[1:]]
    Image.new("RGB", (30, 40)).save(source / "photos" / "0001.jpg")
    listed, annotation = source / "label_list.mat", source / "annotations" / "pixel-level" / "0001.mat"
    savemat(listed, {"label_list": names})
    good = {listed: [listed.read_bytes()]}
    for packed in (False, True):
        savemat(annotation, {"groundtruth": labels}, do_compression=packed)
        good.setdefault(annotation, []).append(annotation.read_bytes())
    assert tool("data/ccp.py", source, "--out", tmp_path / "out").code == 0
    for index in range(number(full, 120)):
        path = listed if index % 6 == 0 else annotation
        what, content = mutated(rng, good[path][index % len(good[path])], mutations.BYTES)
        path.write_bytes(content)
        ended = tool("data/ccp.py", source, "--out", tmp_path / "out", "--overwrite")
        path.write_bytes(good[path][0])
        check_end(lost, (path.name, what), ended, path)
    finish(
        record, "mat", "annotations of Clothing Co-Parsing and their labels through tools/data/ccp.py", index + 1, lost
    )


def check_end(lost, what, ended, path):
    """A run worked, or said one fault, which names the file."""
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    worked = ended.code == 0 and not said
    named = ended.code == 1 and len(said) == 1 and str(path) in said[0]
    if not (worked or named) or "Traceback" in ended.err:
        lost.append((what, ended.code, ended.err[-1500:]))


def model_arguments(dressed):
    """The models of the command of a try-on."""
    return dressed[1:10]


def test_try_on(dressed, tool, record, full, tmp_path):
    """Keypoints, masks and pairs files through tools/try_on.py, good ones between them."""
    rng, lost, models = random.Random(4), [], (*model_arguments(dressed), "--score-thr", "0.01", "--device", "cpu")
    path = next(dressed[-1].iterdir())
    photo, (width, height) = path.read_bytes(), Image.open(path).size
    body = np.argwhere(ClothingParser(*dressed[2:4], "cpu", score_thr=0.01)(read_photo(path)).regions().upper).tolist()
    persons, garments, poses, masks = (tmp_path / name for name in ("persons", "garments", "poses", "masks"))
    for folder in (persons, garments, poses, masks):
        folder.mkdir()
    joints = [(x, y, 0.9) for y, x in rng.choices(body, k=18)]
    pose = json.dumps({"people": [{"pose_keypoints_2d": [value for joint in joints for value in joint]}]}).encode()
    mask = Image.new("L", (width, height))
    mask.paste(255, (width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    mask.save(tmp_path / "mask.png")
    count = number(full, 60)
    for index in range(count):
        (persons / f"p{index:03}.png").write_bytes(photo)
        what, content = ("good", pose) if index % 10 == 0 else mutated(rng, pose, mutations.JSON)
        (poses / f"p{index:03}_keypoints.json").write_bytes(content)
        (garments / f"g{index:03}.png").write_bytes(photo)
        whole = (tmp_path / "mask.png").read_bytes()
        bytes_kinds = (*mutations.BYTES, mutations.png_size)
        what, content = ("good", whole) if index % 10 == 0 else mutated(rng, whole, bytes_kinds)
        (masks / f"g{index:03}.png").write_bytes(content)
    (tmp_path / "pairs.txt").write_text("".join(f"p{index:03}.png g{index:03}.png\n" for index in range(count)))
    for role, inputs in (("poses", (persons, garments / "g000.png")), ("masks", (persons / "p000.png", garments))):
        out = tmp_path / f"out-{role}"
        files = ("--person", inputs[0], "--garment", inputs[1], "--pose", poses, "--garment-mask", masks)
        ended = tool("try_on.py", *models, *files, "--out", out)
        said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        for index in range(count):
            name = f"p{index:03}_g000" if role == "poses" else f"p000_g{index:03}"
            file = poses / f"p{index:03}_keypoints.json" if role == "poses" else masks / f"g{index:03}.png"
            lines = sum(f"{file}" in line for line in said)
            done = (out / "records" / f"{name}.json").is_file()
            if lines + done != 1 or (index % 10 == 0 and not done):
                lost.append((role, file.name, lines, done))
        if "Traceback" in ended.err or ended.code != 1:
            lost.append((role, ended.code, ended.err[-2000:]))
    pairs, good = tmp_path / "bad.txt", (tmp_path / "pairs.txt").read_bytes()[:48]
    some = (persons / "p000.png", persons / "p001.png")
    for index in range(number(full, 30)):
        what, content = mutated(rng, good, mutations.BYTES)
        pairs.write_bytes(content)
        files = ("--person", *some, "--garment", garments / "g000.png", "--pose", "none", "--pairs", pairs)
        ended = tool("try_on.py", *models, *files, "--out", tmp_path / f"out{index}")
        said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        if "Traceback" in ended.err or (ended.code == 1) != any(str(pairs) in line for line in said) or ended.code > 1:
            lost.append(("pairs", what, ended.code, ended.err[-1500:]))
    tried = 2 * count + index + 1
    finish(record, "try-on-tool", "keypoints, masks and pairs files through tools/try_on.py", tried, lost)


def spoiled(rng, good):
    """A checkpoint with other content: types, shapes, sizes, values, keys."""
    state = {key: value.clone() for key, value in good["state_dict"].items()}
    content = {"state_dict": state, "meta": dict(good["meta"])}
    key = rng.choice(sorted(key for key, value in state.items() if value.is_floating_point()))
    value = state[key]
    kinds = {
        "missing": lambda: state.pop(key),
        "left over": lambda: state.update({f"{key}.more": value}),
        "NaN": lambda: value.fill_(torch.nan),
        "infinity": lambda: value.fill_(-torch.inf),
        "all NaN": lambda: [v.fill_(torch.nan) for v in state.values() if v.is_floating_point()],
        "half": lambda: state.update({key: value.half()}),
        "integers": lambda: state.update({key: value.to(torch.int64)}),
        "complex": lambda: state.update({key: value.to(torch.complex64)}),
        "shape": lambda: state.update({key: value.reshape(-1)[:-1]}),
        "huge": lambda: state.update({key: torch.zeros(1).expand(10**6, 10**6)}),
        "text": lambda: state.update({key: "weights"}),
        "none": lambda: state.update({key: None}),
        "sparse": lambda: state.update({key: value.to_sparse()}),
        "number as key": lambda: state.update({7: value}),
        "list": lambda: content.update(state_dict=list(state.values())),
        "no weights": lambda: content.update(state_dict={}),
        "bare": lambda: (content.clear(), content.update(state)),
        "meta is text": lambda: content.update(meta="meta"),
        "classes": lambda: content["meta"].update(dataset_meta={"classes": ["cat", "dog"]}),
        "classes are numbers": lambda: content["meta"].update(dataset_meta={"classes": 15}),
        "data set is a list": lambda: content["meta"].update(dataset_meta=[1]),
    }
    name = rng.choice(list(kinds))
    kinds[name]()
    return name, content


def test_checkpoints_of_other_content(tiny_weights, tiny_config_file, tool, record, full, tmp_path):
    rng, lost, path, photo = random.Random(5), [], tmp_path / "bad.pth", tmp_path / "photo.png"
    Image.new("RGB", (64, 64), "red").save(photo)
    good, alone = load_checkpoint_file(tiny_weights[0]), ("--cfg-options", "test_dataloader.num_workers=0")
    count = number(full, 80)
    for index in range(count):
        what, content = spoiled(rng, good)
        torch.save(content, path)
        if index % 4:
            ended = tool("parse.py", tiny_config_file, path, photo, "--out", tmp_path / f"out{index}")
        else:
            ended = tool("test.py", tiny_config_file, path, "--work-dir", tmp_path / "work", "--overwrite", *alone)
        check_end(lost, what, ended, path)
    how = "checkpoints with other types, shapes, values and keys through tools/parse.py and tools/test.py"
    finish(record, "weights", how, count, lost)


def test_trainings_on_malformed_annotations(segmenter_config, doll_coco, tool, record, full, tmp_path):
    """tools/train.py itself, one epoch."""
    root, lost, rng = shutil.copytree(doll_coco, tmp_path / "set"), [], random.Random(6)
    path = root / "annotations" / "instances_train.json"
    good, count = path.read_bytes(), 20 if full else 2
    for index in range(count):
        what, content = mutated(rng, good, (mutations.json_value,) if index % 2 else (*mutations.JSON, runs))
        path.write_bytes(content)
        options = (
            "train_cfg.max_epochs=1",
            f"train_dataloader.dataset.data_root={root}/",
            "train_dataloader.num_workers=0",
        )
        work = tmp_path / f"work{index}"
        ended = tool("train.py", segmenter_config, "--work-dir", work, "--cfg-options", *options)
        said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        named = len(said) == 1 and any(str(name) in ended.err for name in (path, root / "images"))
        if ended.code not in (0, 1) or (ended.code == 1 and not named) or "Traceback" in ended.err:
            lost.append((index, what, ended.code, ended.err[-1500:]))
    finish(record, "training", "annotation files through tools/train.py", count, lost)


@pytest.fixture
def unreadable_places(segmenter_config, tiny_config_file, tiny_weights, doll_coco, tiny_tryon, dressed, tmp_path):
    """By name of a file that a tool reads: the file, which is good, and the command."""
    work = ("--work-dir", tmp_path / "work", "--cfg-options")
    photo, person = tmp_path / "photo.png", next(dressed[-1].iterdir())
    shutil.copy(person, photo)
    config, checkpoint = tmp_path / "config.py", tmp_path / "weights.pth"
    shutil.copy(tiny_config_file, config)
    shutil.copy(tiny_weights[0], checkpoint)
    root = shutil.copytree(doll_coco, tmp_path / "coco")
    dolls = shutil.copytree(Path(load_config(tiny_tryon["gmm"]).train_dataloader.dataset.data_root), tmp_path / "dolls")
    (pairs := tmp_path / "pairs.txt").write_text(f"{person.name} {person.name}\n")
    (gmm := tmp_path / "gmm.pth").write_bytes(dressed[6].read_bytes())
    annotations, image = root / "annotations" / "instances_train.json", next((root / "images" / "train").iterdir())
    parse = ("parse.py", tiny_config_file, tiny_weights[0], "--out", tmp_path / "out", "--device", "cpu")
    train = ("train.py", segmenter_config, *work, f"train_dataloader.dataset.data_root={root}/")
    sets = [f"{name}_dataloader.dataset.data_root={dolls}/" for name in ("train", "val")]
    tryon = ("train.py", tiny_tryon["gmm"], *work, *sets)
    on = ("try_on.py", *model_arguments(dressed), "--out", tmp_path / "on", "--pose", "none", "--score-thr", "0.01")
    one = next(path.name for path in sorted((dolls / "train" / "image").iterdir()))
    in_dolls = {folder: next((dolls / "train" / folder).glob(f"{one[:6]}*")) for folder in ("image", "pose")}
    return {
        "photo": (photo, (*parse, photo)),
        "photo in a folder": (photo, (*parse, tmp_path / "photos" / "of")),
        "config": (config, ("parse.py", config, tiny_weights[0], person, "--out", tmp_path / "out")),
        "checkpoint": (checkpoint, ("parse.py", tiny_config_file, checkpoint, person, "--out", tmp_path / "out")),
        "tested checkpoint": (checkpoint, ("test.py", tiny_config_file, checkpoint, *work[:2])),
        "resumed checkpoint": (checkpoint, ("train.py", segmenter_config, *work[:2], "--resume", checkpoint)),
        "annotations": (annotations, train),
        "image of a training": (image, train),
        "checked annotations": (annotations, ("data/check.py", root)),
        "person": (photo, (*on, "--person", photo, "--garment", person)),
        "garment": (photo, (*on, "--person", person, "--garment", photo)),
        "pairs": (pairs, (*on, "--person", person, "--garment", person, "--pairs", pairs)),
        "GMM": (
            gmm,
            (*(gmm if part == dressed[6] else part for part in on), "--person", person, "--garment", person),
        ),
        "pairs of a training": (dolls / "train_pairs.txt", tryon),
        "person of a training": (in_dolls["image"], tryon),
        "pose of a training": (in_dolls["pose"], tryon),
        "converted checkpoint": (checkpoint, ("convert_checkpoint.py", checkpoint, tmp_path / "c.safetensors")),
    }


def test_files_that_cannot_be_opened(unreadable_places, start, record, full, tmp_path):
    """Without permissions, links in a circle, links to nowhere, and folders of a file's name."""
    (tmp_path / "photos" / "of").mkdir(parents=True)
    kinds = ("no permissions", "circle", "nowhere", "folder")
    cases = [(place, kind) for place in unreadable_places for kind in kinds]
    lost, cases = [], cases if full else cases[::5]
    for place, kind in cases:
        file, command = unreadable_places[place]
        if place == "photo in a folder":
            if kind == "folder":
                continue  # is looked into
            file = shutil.copy(file, tmp_path / "photos" / "of" / "photo.png")
        kept = file.with_name("kept")
        file.rename(kept)
        if kind == "no permissions":
            shutil.copy(kept, file)
            file.chmod(0)
        elif kind == "folder":
            file.mkdir()
        else:
            file.symlink_to(file if kind == "circle" else tmp_path / "nowhere")
        running = start(*command, prepare=[(moments.no_right_to_all,)])
        code = running.wait()
        text = running.text()
        said = [line for line in text.splitlines() if line.strip().startswith(("error: ", f"{file.parent}"))]
        if code != 1 or "Traceback" in text or not any(str(file) in line for line in said):
            lost.append((place, kind, code, text[-1500:]))
        file.rmdir() if kind == "folder" else file.unlink()
        kept.rename(file)
    finish(record, "unreadable", "files without permissions, links in circles or to nowhere, folders", len(cases), lost)


def test_a_png_of_50000_x_50000_is_not_decoded(tiny_coco, record, tmp_path):
    """Wherever an image is opened: photos, masks, parsing maps, the checker, and mmdet's own reader in a training."""
    from seg_vton.labels import load_palette_png
    from seg_vton.pictures.images import image_size, read_mask

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
        "checker": lambda: image_size(path, whole=True),
    }
    for reader in readers.values():
        with pytest.raises(UserError, match=r"huge\.png"):
            reader()
    entry = {"id": 1, "file_name": "huge.png", "width": 48, "height": 64}
    (tmp_path / "a.json").write_text(
        json.dumps({"images": [entry], "annotations": [], "categories": categories(CLOTHING_CLASSES)})
    )
    init_default_scope("mmdet")
    steps = [{"type": "LoadImageFromFile"}]
    files = {"data_root": f"{tmp_path}/", "ann_file": "a.json", "pipeline": steps}
    dataset = DATASETS.build({"type": "ClothingDataset", **files, "data_prefix": {"img": ""}, "test_mode": True})
    attempt(lost, [path], "mmdet", lambda: load_all(dataset))
    finish(record, "huge", "a header of 50,000 x 50,000 pixels at every reader", len(readers) + 1, lost)
    assert read_json(tmp_path / "a.json")["images"]
