import json
import shutil
from itertools import product
from pathlib import Path

import cpvton_reference as published
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import Runner
from test_configs import ROOT, difference, load, settings, walk
from torch import nn

import seg_vton  # noqa: F401  registers what the configs name
from seg_vton.data.photo_pairs.write import PREDICTED as PREDICTED_FOLDER
from seg_vton.engine import launch
from seg_vton.engine.launch import load_config
from seg_vton.labels import DEEPFASHION15, get_space, load_palette_png, save_palette_png
from seg_vton.parsing.jobs import Item, Job, PhotoResults
from seg_vton.registry import MODELS
from seg_vton.tryon.datasets.layouts import LAYOUTS, WARPED, Pair

CONFIGS = sorted((ROOT / "tryon").glob("*.py"))
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)

DATA = {"viton": "lip20", "viton-hd": "cihp20", "dresscode-upper": "atr18", "paper-doll": "deepfashion15"}
OWN = {"ccp": "deepfashion15"}  # made in another set's layout, with parsing maps of our own
ON_EVERY_SET = pytest.mark.parametrize("data", DATA)
SEEN = "image-parse-seen"
LOSSES = {"GMM": {"loss_warp"}, "TOM": {"loss_l1", "loss_mask"}}


def row(name, data="viton", size="256x192_200k"):
    return f"{name}_{size}_{data}"


# ---- every file


def as_layout(dolls, root, layout, space):
    """Copies a paper-doll set into another layout, exported warps (the garments as they are) and all pairs files too.

    The parsing maps get ids of that space; what they mean does not matter here.
    """
    for split in ("train", "test"):
        lines = []
        for photo in sorted((dolls / split / "image").glob("*.jpg")):
            garment = layout.own_garment(photo.name)
            pair, own = Pair(photo.name, garment), photo.name.replace("_0", "_1")
            sources = {
                "image": photo,
                "cloth": dolls / split / "cloth" / own,
                "warped_cloth": dolls / split / "cloth" / own,
            }
            sources |= dict.fromkeys(("cloth_mask", "warped_mask"), dolls / split / "cloth-mask" / own)
            for role, place in (*layout.places.items(), *WARPED.items()):
                target = layout.split_root(root, split) / place.folders[0] / pair.fill(place.names[0])
                target.parent.mkdir(parents=True, exist_ok=True)
                if role in sources:
                    shutil.copy(sources[role], target)
                elif role == "parse":
                    parse = load_palette_png(dolls / split / "image-parse" / f"{photo.stem}.png", DEEPFASHION15.name)
                    save_palette_png(target, parse % len(get_space(space).classes), space, overwrite=True)
                elif role == "pose":
                    people = json.loads((dolls / split / "pose" / f"{photo.stem}_keypoints.json").read_text())["people"]
                    target.write_text(json.dumps({"keypoints": joints(people), "people": people}))
            if layout.name == "viton":
                warp = root / split / "warp" / f"{photo.stem}.npy"
                warp.parent.mkdir(exist_ok=True)
                np.save(warp, np.zeros(50, np.float32))
            lines.append(f"{pair.person} {pair.garment}\n")
        for name in (f"{split}_pairs.txt", f"{split}_pairs_paired.txt"):
            (root / name).write_text("".join(lines))


def joints(people):
    """The OpenPose-18 numbers as DressCode's rows of four."""
    numbers = people[0]["pose_keypoints"]
    return [[*numbers[i : i + 3], 1] for i in range(0, 54, 3)]


@pytest.fixture(scope="session")
def sets(tiny_dolls, tmp_path_factory):
    """Roots of the same small set in every layout, by the layout's name and the parsing maps' space."""
    kinds = {(name, layout.published_space) for name, layout in LAYOUTS.items()} | {("viton", "deepfashion15")}
    roots = {kind: tmp_path_factory.mktemp("sets") / kind[0] for kind in sorted(kinds)}
    for (name, space), root in roots.items():
        if name == "paper_doll":
            shutil.copytree(tiny_dolls, root)
            for split, role in product(("train", "test"), ("cloth", "cloth-mask")):
                shutil.copytree(
                    tiny_dolls / split / role, root / split / {"cloth": "warp-cloth", "cloth-mask": "warp-mask"}[role]
                )
        else:
            root.mkdir()
            as_layout(tiny_dolls, root, LAYOUTS[name], space)
        for place in [place for folder in ("warp-cloth", "warp-mask") for place in root.rglob(folder)]:
            shutil.copytree(place, place.parent / "gmm_aux-seg" / place.name)
        if name in ("paper_doll", "viton"):
            write_predictions(tiny_dolls, root)
    return roots


def write_predictions(dolls, root):
    """The true maps as `tools/parse.py` would write them, had it found all."""
    for split in ("train", "test"):
        results = PhotoResults(root / split / SEEN, {})
        for photo in sorted((root / split / "image").glob("*.jpg")):
            parse = load_palette_png(dolls / split / "image-parse" / f"{photo.stem}.png", DEEPFASHION15.name)
            save_palette_png(results.path("label-map", photo.stem), parse, DEEPFASHION15.name)
            job = Job(photo.stem, (Item(photo, photo.stem),), ("label-map",))
            results.write_record(job, pending=False)


def shrink_model(model):
    """Few channels and 64 x 64 pixels; structure and losses stay the config's."""
    model.base_channels = 4
    if model.type == "GMM":
        model.image_size = (64, 64)
    if "aux_head" in model:
        model.aux_head.update(base_channels=4, max_channels=8)


def shrink(config, roots, work_dir):
    """The same run on few small dolls, for one iteration."""
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        root = roots[loader.dataset.layout, loader.dataset.label_space]
        loader.dataset.update(data_root=str(root), image_size=(64, 64))
        if "parse" in loader.dataset:
            loader.dataset.parse.update(folder=SEEN, config=None, checkpoint=None)
    shrink_model(config.model)
    if config.model.get("warper"):
        config.model.warper = warper(config.model.warper.config, work_dir)
    if config.model.get("loss_perceptual"):
        first = {"0.weight": 0.1 * torch.randn(64, 3, 3, 3), "0.bias": torch.zeros(64)}
        torch.save(first, work_dir / "vgg19.pth")
        config.model.loss_perceptual.weights = str(work_dir / "vgg19.pth")
    config.train_cfg.update(max_iters=1, val_interval=1)
    config.default_hooks.checkpoint = None
    config.update(work_dir=str(work_dir), launcher="none", log_level="WARNING", experiment_name=work_dir.name)


def warper(config_file, folder):
    """The GMM of a config, shrunk and untrained, as a warper."""
    config = Config.fromfile(ROOT.parent / config_file)
    shrink_model(config.model)
    Config({"model": config.model.to_dict()}).dump(folder / "gmm.py")
    torch.save(MODELS.build({"_scope_": "seg_vton", **config.model}).state_dict(), folder / "gmm.pth")
    return {"config": str(folder / "gmm.py"), "checkpoint": str(folder / "gmm.pth")}


@every_config
def test_it_trains_an_iteration_and_predicts_the_test_set(path, sets, tmp_path, monkeypatch):
    """Everything a config names is built from its own arguments, of which any unknown one is an error."""
    monkeypatch.setattr("mmengine.runner.runner.collect_env", dict)  # asks compilers for their versions: half a second
    config = Config.fromfile(path)
    shrink(config, sets, tmp_path)
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    assert runner.iter == 1
    auxiliary = "aux_head" in config.model
    expected = LOSSES[config.model.type] | ({"loss_seg"} if auxiliary else set())
    expected |= {name for name in ("loss_theta", "loss_perceptual") if config.model.get(name)}
    losses = {key[6:]: value.current() for key, value in runner.message_hub.log_scalars.items() if "/loss_" in key}
    assert set(losses) == expected
    assert all(value > 0 for value in losses.values())  # false of NaN too
    changed = {name.split(".")[0] for name, value in runner.model.state_dict().items() if not value.equal(before[name])}
    parts = {"GMM": {"extractionA", "extractionB", "regression"}, "TOM": {"model"}}[config.model.type]
    assert changed == parts | ({"aux_head"} if auxiliary else set())
    report = runner.val_evaluator.metrics[0].report
    assert (report["images"], report["pairs"], report["stage"]) == (3, "paired", config.model.type.lower())
    assert ("mIoU" in report["metrics"]) == auxiliary
    assert {"warped-mask IoU"} <= set(report["metrics"])


@every_config
def test_its_name_says_what_it_is(path):
    """STAGE_METHOD[_...]_SIZE_ITERATIONS_DATA."""
    config = load(path.stem)
    stage, method, *_, size, iterations, data = path.stem.split("_")
    assert (config.model.type.lower(), "aux_head" in config.model) == (stage, method == "aux-seg")
    height, width = map(int, size.split("x"))
    loaders = (config.train_dataloader, config.val_dataloader, config.test_dataloader)
    assert {tuple(loader.dataset.image_size) for loader in loaders} == {(height, width)}
    assert tuple(config.model.get("image_size", (height, width))) == (height, width)
    assert config.train_cfg.max_iters == int(iterations.removesuffix("k")) * 1000
    for evaluator in (config.val_evaluator, config.test_evaluator):
        assert (evaluator.dataset, evaluator.stage) == (data, stage)
    for loader in loaders:
        assert loader.dataset.label_space == {**DATA, **OWN}[data]
        assert data in OWN or loader.dataset.label_space == LAYOUTS[loader.dataset.layout].published_space
        assert loader.dataset.data_root == loaders[0].dataset.data_root


@every_config
def test_decoder_and_data_agree_on_the_label_space(path):
    config = load(path.stem)
    spaces = {part.aux_label_space for part in walk(config._cfg_dict) if "aux_label_space" in part}
    spaces |= {part.label_space for part in walk(config._cfg_dict) if part.get("type") == "AuxSegHead"}
    assert spaces == {"tryon8"}


@every_config
def test_what_is_tested_is_not_what_is_trained_on(path):
    config = load(path.stem)
    train, test = config.train_dataloader.dataset, config.test_dataloader.dataset
    assert (train.split, test.split) == ("train", "test")
    assert train.pairs != test.pairs
    assert config.unpaired.pairs != test.pairs or (test.own_garments and not config.unpaired.own_garments)


@every_config
def test_a_warper_is_of_the_same_data_and_lies_where_its_training_leaves_it(path):
    config = load(path.stem)
    warper = config.model.get("warper")
    assert (warper is not None) == (config.model.type == "TOM" and "official" not in path.stem)
    if warper is None:
        return
    file = Path(warper.config)
    gmm = load(file.stem)
    assert file == Path("configs/tryon") / file.name
    assert gmm.model.type == "GMM"
    assert warper.checkpoint == f"work_dirs/{file.stem}/iter_{gmm.train_cfg.max_iters}.pth"
    assert gmm.train_dataloader.dataset == config.train_dataloader.dataset


def rates(config, iterations):
    """The learning rates of some iterations, from 0; runs all up to the last."""
    model = nn.Linear(1, 1)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    built = [PARAM_SCHEDULERS.build(part, default_args={"optimizer": optimizer}) for part in config.param_scheduler]
    found = []
    for number in range(max(iterations) + 1):
        if number in iterations:
            found += optimizer.get_lr()["lr"]
        for scheduler in built:
            scheduler.step()
    return found


@pytest.mark.parametrize("name", ["gmm_cp-vton_128x96_3k_paper-doll", "tom_cp-vton_128x96_2k_paper-doll"])
def test_the_rate_is_constant_for_half_the_training_and_falls_to_zero_after_the_last_iteration(name):
    config = load(name)
    last, first = config.train_cfg.max_iters, config.optim_wrapper.optimizer.lr
    expected = [first, first, first / 2, first / (last // 2), 0]
    found = rates(config, (0, last // 2, last * 3 // 4, last - 1, last))
    assert found == pytest.approx(expected, rel=1e-6, abs=first * 1e-9)


# ---- the paper's rows

AUX = {
    "model.aux_head.type": (None, "AuxSegHead"),
    "model.aux_head.label_space": (None, "tryon8"),
    "model.aux_head.class_weight.background": (None, 1.5),
    "model.aux_head.class_weight.skin": (None, 1.5),
    "model.aux_head.loss_weight": (None, 1.0),
}
SMALL_AUX = {**AUX, "model.aux_head.base_channels": (None, 32), "model.aux_head.max_channels": (None, 128)}
CONSTANT_RATE = {key for key in settings(row("gmm_cp-vton")) if key.startswith("param_scheduler.0")} | {
    "param_scheduler"
}


PAPER_ROWS = ["gmm_cp-vton", "gmm_aux-seg", "tom_cp-vton", "tom_aux-seg_gmm-cp-vton", "tom_aux-seg"]
PREDICTED = [
    ("paper-doll", ("128x96_3k", "128x96_2k")),
    ("paper-doll", ("256x192_200k", "256x192_200k")),
    ("viton", ("256x192_200k", "256x192_200k")),
    ("ccp", ("256x192_1k", "256x192_1k")),
]


def warped_by(data, before, after, size="256x192_200k", iterations=200_000):
    names = [row(name, data, size) for name in (before, after)]
    return {
        "model.warper.config": tuple(f"configs/tryon/{name}.py" for name in names),
        "model.warper.checkpoint": tuple(f"work_dirs/{name}/iter_{iterations}.pth" for name in names),
    }


@ON_EVERY_SET
def test_rows_differ_in_what_their_table_says_and_in_nothing_else(data):
    gmm, tom = row("gmm_cp-vton", data), row("tom_cp-vton", data)
    assert difference(gmm, row("gmm_aux-seg", data)) == AUX
    assert difference(tom, row("tom_aux-seg_gmm-cp-vton", data)) == AUX
    assert difference(tom, row("tom_aux-seg", data)) == AUX | warped_by(data, "gmm_cp-vton", "gmm_aux-seg")


def test_the_small_rows_differ_in_the_same():
    gmm, tom = row("gmm_cp-vton", "paper-doll", "128x96_3k"), row("tom_cp-vton", "paper-doll", "128x96_2k")
    assert difference(gmm, row("gmm_aux-seg", "paper-doll", "128x96_3k")) == SMALL_AUX
    assert difference(tom, row("tom_aux-seg_gmm-cp-vton", "paper-doll", "128x96_2k")) == SMALL_AUX
    warped = warped_by("paper-doll", "gmm_cp-vton", "gmm_aux-seg", "128x96_3k", 3000)
    assert difference(tom, row("tom_aux-seg", "paper-doll", "128x96_2k")) == SMALL_AUX | warped


def test_the_short_rows_differ_in_the_same_and_have_no_perceptual_loss():
    gmm, tom = row("gmm_cp-vton", "ccp", "256x192_1k"), row("tom_cp-vton", "ccp", "256x192_1k")
    assert settings(tom)["model.loss_perceptual"] is None
    assert difference(gmm, row("gmm_aux-seg", "ccp", "256x192_1k")) == AUX
    assert difference(tom, row("tom_aux-seg_gmm-cp-vton", "ccp", "256x192_1k")) == AUX
    warped = warped_by("ccp", "gmm_cp-vton", "gmm_aux-seg", "256x192_1k", 1000)
    assert difference(tom, row("tom_aux-seg", "ccp", "256x192_1k")) == AUX | warped


@pytest.mark.parametrize(("data", "sizes"), PREDICTED)
@pytest.mark.parametrize(
    "name", ["gmm_cp-vton", "gmm_aux-seg", "tom_cp-vton", "tom_aux-seg_gmm-cp-vton", "tom_aux-seg"]
)
def test_rows_of_predicted_parsing_differ_in_it_and_in_the_warper_trained_on_it(name, data, sizes):
    size = dict(zip(("gmm", "tom"), sizes, strict=True))
    before, after = (row(n, data, size[name[:3]]) for n in (name, f"{name}_mask-rcnn-parse"))
    found = difference(before, after)
    if data == "ccp":  # its photo pairs bring the maps along
        assert found["train_dataloader.dataset.parse.folder"][1] == PREDICTED_FOLDER
    else:
        segmenter = load_config(ROOT.parent / found["train_dataloader.dataset.parse.config"][1])
        checkpoint = Path(found["train_dataloader.dataset.parse.checkpoint"][1])
        assert checkpoint.parent.name == Path(segmenter.filename).stem
        assert checkpoint.stem == f"epoch_{segmenter.train_cfg.max_epochs}"
    for split, targets in (("train", "predicted"), ("val", "files"), ("test", "files")):
        assert found.pop(f"{split}_dataloader.dataset.parse.targets") == (None, targets)
        assert found.pop(f"{split}_dataloader.dataset.parse.source") == (None, "predicted")
    rest = {key for key in found if ".parse." not in key}
    if name.startswith("gmm"):
        assert not rest
        return
    assert rest == {"model.warper.config", "model.warper.checkpoint"}
    warper = Path(found["model.warper.config"][0]).stem.replace(f"_{size['gmm']}", f"_mask-rcnn-parse_{size['gmm']}")
    assert found["model.warper.config"][1] == f"configs/tryon/{warper}.py"
    assert found["model.warper.checkpoint"][1].startswith(f"work_dirs/{warper}/iter_")


@ON_EVERY_SET
def test_official_rows_have_the_published_codes_quirks(data):
    found = difference(row("gmm_cp-vton", data), row("gmm_cp-vton_official", data))
    assert found.pop("model.align_corners") == (True, False)
    assert set(found) == CONSTANT_RATE
    found = difference(row("tom_cp-vton", data), row("tom_cp-vton_official", data))
    assert found.pop("model.output_norm") == (False, True)
    if data != "paper-doll":  # which has no perceptual loss
        assert found.pop("model.loss_perceptual.input_range") == ("imagenet", "published")
    folders = [f"{split}_dataloader.dataset.folders" for split in ("train", "val", "test")]
    warps = {f"{key}.{role}" for key in folders for role in ("warped_cloth", "warped_mask")}
    assert set(found) == CONSTANT_RATE | warps | {"model.warper.config", "model.warper.checkpoint"}
    assert settings(row("gmm_cp-vton_official", data))["param_scheduler"] == []


@ON_EVERY_SET
def test_official_rows_with_decoders_differ_from_those_without_as_the_plain_rows_do(data):
    gmm, tom = row("gmm_cp-vton_official", data), row("tom_cp-vton_official", data)
    assert difference(gmm, row("gmm_aux-seg_official", data)) == AUX
    assert difference(tom, row("tom_aux-seg_gmm-cp-vton_official", data)) == AUX
    # What two GMMs warped must not lie in one folder, where the second would be taken for the first.
    warps = {
        f"{split}_dataloader.dataset.folders.warped_{part}": (f"warp-{part}", f"gmm_aux-seg/warp-{part}")
        for split, part in product(("train", "val", "test"), ("cloth", "mask"))
    }
    assert difference(tom, row("tom_aux-seg_official", data)) == AUX | warps


def test_the_base_rows_are_cp_vtons():
    """Wang et al., section 4: Adam (.5, .999) with 1e-4, batches of 4, 100k iterations constant and 100k to zero."""
    expected = {
        "train_cfg.type": "SeededIterBasedTrainLoop",
        "train_cfg.max_iters": 200_000,
        "train_dataloader.batch_size": 4,
        "train_dataloader.sampler.type": "SeededInfiniteSampler",
        "optim_wrapper.optimizer.type": "Adam",
        "optim_wrapper.optimizer.lr": 1e-4,
        "param_scheduler.0.type": "LinearLR",
        "param_scheduler.0.by_epoch": False,
        "param_scheduler.0.begin": 100_000,
        "param_scheduler.0.end": 200_001,
        "param_scheduler.0.end_factor": 0.0,
        "auto_scale_lr.base_batch_size": 4,
        "load_from": None,
        "default_scope": "seg_vton",
    }
    model = {
        "gmm_cp-vton": {"model.grid_size": 5, "model.loss_warp.type": "L1Loss", "model.loss_warp.loss_weight": 1.0},
        "tom_cp-vton": {
            "model.mask_target": "warped_mask",
            "model.loss_l1.loss_weight": 1.0,
            "model.loss_perceptual.type": "PerceptualLoss",
            "model.loss_perceptual.loss_weight": 1.0,
            "model.loss_mask.loss_weight": 1.0,
        },
    }
    for name, own in model.items():
        found = settings(row(name))
        assert {key: found.get(key) for key in expected | own if key != "default_scope"} == {
            key: value for key, value in (expected | own).items() if key != "default_scope"
        }
        config = load(row(name))
        assert config.default_scope == "seg_vton"
        assert tuple(config.optim_wrapper.optimizer.betas) == (0.5, 0.999)
        assert config.default_hooks.checkpoint.get("save_optimizer", True)


@pytest.mark.parametrize(("stage", "shapes"), [("gmm", published.gmm_shapes()), ("tom", published.tom_shapes())])
@pytest.mark.parametrize("kind", ["cp-vton", "cp-vton_official"])
def test_published_checkpoints_fit_strictly(stage, shapes, kind):
    config = launch.load_config(ROOT / "tryon" / f"{row(f'{stage}_{kind}')}.py")
    with torch.device("meta"):
        model = MODELS.build({**config.model, "_scope_": "seg_vton", **({"warper": None} if stage == "tom" else {})})
        state = {name: torch.empty(shape) for name, shape in shapes.items()}
    assert len(state) == {"gmm": 104, "tom": 24}[stage]
    model.load_state_dict(state, strict=True)
