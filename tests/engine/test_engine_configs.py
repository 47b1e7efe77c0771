from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from seg_vton.engine.configs import load_config
from seg_vton.errors import UserError

PLAIN = """
model = dict(type="Thing", depth=18)
steps = [dict(scale=1), dict(scale=2)]
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01))
load_from = None
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="row.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_options_reach_nested_values_and_list_items(write):
    options = {"model.depth": 50, "steps.1.scale": 3, "optim_wrapper.optimizer.lr": 1, "load_from": "coco.pth"}
    config = load_config(write(PLAIN), options)
    assert (config.model.depth, config.model.type) == (50, "Thing")
    assert [step.scale for step in config.steps] == [1, 3]
    assert config.optim_wrapper.optimizer.to_dict() == {"type": "SGD", "lr": 1}
    assert config.load_from == "coco.pth"


@pytest.mark.parametrize(
    "options",
    [
        {"optim_wrapper.optimizer.nesterov": True},  # SGD takes it
        {"optim_wrapper.clip_grad.max_norm": 35},  # in a dict that OptimWrapper takes whole
        {"optim_wrapper.optimizer.type": "AdamW", "optim_wrapper.optimizer.betas": (0.5, 0.9)},
        {"optim_wrapper.optimizer": {"lr": 0.1}},
        {"train_dataloader.dataset.metainfo.note": ["a", "b"]},
        {"train_dataloader.pin_memory": True},
        {"default_hooks.checkpoint.save_best": "coco/segm_mAP"},
        {"default_hooks.early.type": "EarlyStoppingHook"},
        {"test_evaluator.predictions_file": "x.json", "randomness.deterministic": True},
        {"model.backbone.init_cfg": None, "model.roi_head.mask_head.loss_mask.loss_weight": 2},
        {"model.roi_head.bbox_head.reg_class_agnostic": True, "test_evaluator.iou_types": ("bbox",)},
    ],
)
def test_a_key_is_known_by_the_config_the_constructor_or_a_dict_that_is_taken_whole(tiny_config_file, options):
    config = load_config(tiny_config_file, options)
    for key, value in options.items():
        node = config
        for part in key.split("."):
            node = node[part]
        assert node == value or set(value.items()) <= set(node.items())


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"optim_wrapper.optimizer.lrr": 1}, "optim_wrapper.optimizer.lr"),
        ({"lr": 1}, "optim_wrapper.optimizer.lr"),
        ({"train_dataloader.batchsize": 1}, "train_dataloader.batch_size"),
        ({"model.neck.num_out": 1}, "model.neck.num_outs"),
        ({"model.test_cfg.rcnn.score_th": 1}, "model.test_cfg.rcnn.score_thr"),
        ({"default_hooks.checkpoint.intervall": 1}, "default_hooks.checkpoint.interval"),
        ({"optim_wrapper.optimizer": {"lrr": 1}}, "optim_wrapper.optimizer.lr"),
        ({"data.train.ann_file": "x"}, "train_dataloader.dataset.ann_file"),
        ({"runner.max_epochs": 1}, "train_cfg.max_epochs"),
        ({"optimizer.lr": 1}, "optim_wrapper.optimizer.lr"),
        ({"evaluation.interval": 1}, "train_cfg.val_interval"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_or_with_todays_name(tiny_config_file, option, expected):
    with pytest.raises(UserError) as error:
        load_config(tiny_config_file, option)
    assert f" {expected} now" in str(error.value) or str(error.value).endswith(f"the nearest known key is {expected}")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"optim_wrapper.optimizer.lr": "a"}, "has a number there (0.009), and 'a' is a text"),
        ({"train_dataloader.persistent_workers": 1}, "has a bool there (False), and 1 is a number"),
        ({"train_dataloader.dataset": "x"}, "and 'x' is a text"),
        ({"train_pipeline": "x"}, "write train_pipeline=[x]"),
        ({"train_pipeline.9.scale": 1}, "train_pipeline of"),
        ({"model.type.deeper": 1}, "has no keys"),
    ],
)
def test_a_value_must_be_of_the_kind_that_is_there(tiny_config_file, option, expected):
    with pytest.raises(UserError) as error:
        load_config(tiny_config_file, option)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("max_epochs", 9, r"set train_cfg\.max_epochs$"),
        ("test_pipeline.1.scale", (9, 9), r"set val_dataloader\.dataset\.pipeline\.1\.scale and test_dataloader\."),
    ],
)
def test_a_variable_that_the_config_has_used_already_is_not_left_unread(write, key, value, named):
    path = write("""
max_epochs = 2
note = "mine"
test_pipeline = [dict(type="A"), dict(type="B", scale=(1, 2))]
train_cfg = dict(max_epochs=max_epochs)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
""")
    with pytest.raises(UserError, match=rf"{key}: {key.split('.')[0]} is a variable of .*row\.py, .* {named}"):
        load_config(path, {key: value})
    assert load_config(path, {"note": "yours"}).note == "yours"  # somebody's hook may read it


def test_a_dict_takes_the_place_of_none():
    replaced = {"_delete_": True, "type": "PerceptualLoss", "weights": "vgg19.pth"}
    path = Path(__file__).parents[2] / "configs" / "tryon" / "tom_aux-seg_128x96_2k_paper-doll.py"
    config = load_config(path, {f"model.loss_perceptual.{key}": value for key, value in replaced.items()})
    assert config.model.loss_perceptual == {"type": "PerceptualLoss", "weights": "vgg19.pth"}
    with pytest.raises(UserError, match=r"is None and has no keys; model\.loss_perceptual\._delete_=True"):
        load_config(path, {"model.loss_perceptual.type": "PerceptualLoss"})
    misspelled = {"_delete_": True, "type": "PerceptualLoss", "weight": 1}
    with pytest.raises(UserError, match=r"nearest known key is model\.loss_perceptual\.weights"):
        load_config(path, {f"model.loss_perceptual.{key}": value for key, value in misspelled.items()})


def test_loading_in_the_main_process_keeps_no_workers(write):
    loaders = "train_dataloader = dict(num_workers=0)\nval_dataloader = dict(num_workers=2, persistent_workers=True)\n"
    path = write(PLAIN + loaders + "test_dataloader = val_dataloader\n")
    config = load_config(path, {"test_dataloader.num_workers": 0})
    assert config.train_dataloader.persistent_workers is False
    assert config.val_dataloader.persistent_workers is True
    assert config.test_dataloader.persistent_workers is False


def test_the_command_line_then_the_config_then_the_name_say_where_to_write(write):
    assert load_config(write(PLAIN)).work_dir == "work_dirs/row"
    own = write(PLAIN + "work_dir = 'mine'\n", "own.py")
    assert load_config(own).work_dir == "mine"
    assert load_config(own, {"work_dir": "option"}).work_dir == "option"
    assert load_config(own, {"work_dir": "option"}, "given").work_dir == "given"


def test_the_launcher_is_the_command_lines(write):
    assert load_config(write(PLAIN + "launcher = 'slurm'\n")).launcher == "none"
    assert load_config(write(PLAIN), launcher="pytorch").launcher == "pytorch"


def test_a_missing_config_is_named(tmp_path):
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(UserError, match="does not exist: configs are under configs/segmentation"):
            load_config(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nmodel = dict(", r'row\.py", line 2: .*model = dict\('),
        ("_base_ = './broken.py'", r'broken\.py", line 3'),
        ("_base_ = './none.py'", r"row\.py cannot be read: .*none\.py"),
        ("_base_ = ['./row2.py', './row3.py']", "Duplicate key"),
        ("custom_imports = dict(imports=['no_such_module'])", r"row\.py cannot be read: .*no_such_module"),
        ("filename = 'reserved'", r"row\.py cannot be read: .*reserved"),
    ],
)
def test_what_is_wrong_with_the_file_is_the_users_to_mend(write, text, expected):
    write("a = 1\n", "row2.py")
    write("a = 2\n", "row3.py")
    write("\n\na = = 2\n", "broken.py")
    with pytest.raises(UserError, match=expected):
        load_config(write(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model = undefined", NameError),
        ("_base_ = './row2.py'\nlr = _base_.no.such", AttributeError),
        ("model = dict() + 1", TypeError),
        ("model = [1][3]", IndexError),
        ("custom_imports = dict(imports=['faulty_module'], allow_failed_imports=False)", ImportError),
    ],
)
def test_what_its_code_raises_passes(write, text, expected, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    write("from mmdet import no_such_name", "faulty_module.py")
    write("a = 1\n", "row2.py")
    with pytest.raises(expected) as error:
        load_config(write(text))
    assert not isinstance(error.value, UserError)


def test_a_config_in_another_format_is_read_and_an_unknown_one_refused(write):
    assert load_config(write('{"a": 1}', "row.json")).a == 1
    for name, text in (("row.txt", "a = 1"), ("row.json", "{"), ("row.yaml", "a: [")):
        with pytest.raises(UserError, match=rf"{name} cannot be read"):
            load_config(write(text, name))


# ---- classes


def heads(config):
    return [config.model.roi_head[name].num_classes for name in ("bbox_head", "mask_head")]


@pytest.mark.parametrize("key", ["classes", "train_dataloader.dataset.metainfo.classes"])
def test_one_list_of_classes_sets_data_sets_and_heads(tiny_config_file, key):
    config = load_config(tiny_config_file, {key: ["top", "skirt"]})
    assert heads(config) == [2, 2]
    for name in ("train", "val", "test"):
        metainfo = config[f"{name}_dataloader"].dataset.metainfo
        assert metainfo.classes == ("top", "skirt")
        assert len(metainfo.palette) == 2


def test_classes_are_a_list_or_a_file_of_names(tiny_config_file, tmp_path):
    key = "train_dataloader.dataset.metainfo.classes"
    with pytest.raises(UserError, match=r"must be a list of names or a file .*found 'top'"):
        load_config(tiny_config_file, {key: "top"})
    (tmp_path / "names.txt").write_text("top\nskirt\nbag\n")
    assert heads(load_config(tiny_config_file, {key: str(tmp_path / "names.txt")})) == [3, 3]


def test_classes_in_the_configs_own_ways(tiny_config_file, write):
    base = f"_base_ = '{tiny_config_file}'\n"
    for text in (
        "classes = ('hat',)",
        "metainfo = dict(classes=('hat',))",
        "train_dataloader = dict(dataset=dict(metainfo=dict(classes=('hat',), palette=[(1, 2, 3)])))",
    ):
        config = load_config(write(base + text))
        assert heads(config) == [1, 1]
        assert config.test_dataloader.dataset.metainfo.classes == ("hat",)
    assert heads(load_config(tiny_config_file)) == [15, 15]
    assert "metainfo" not in load_config(tiny_config_file).train_dataloader.dataset
    two = "train_dataloader = dict(dataset=dict(metainfo=dict(classes=('a',))))\n"
    with pytest.raises(UserError, match="both named as classes"):
        load_config(write(base + two + "val_dataloader = dict(dataset=dict(metainfo=dict(classes=('b',))))"))
    with pytest.raises(UserError, match="both named as classes"):
        load_config(write(base + two + "classes = ('b',)"))
    with pytest.raises(UserError, match="names that differ"):
        load_config(tiny_config_file, {"classes": ["a", "a"]})


def test_class_weights_for_another_number_of_classes_are_left_out(monkeypatch):
    said = []
    monkeypatch.setattr("seg_vton.engine.configs.print_log", lambda text, **_: said.append(text))
    row = (
        Path(__file__).parents[2] / "configs/segmentation/mask-rcnn_r50-c4_panoptic-fpn-slim_finetune_1e_paper-doll.py"
    )
    for classes, left_out in ((["top", "hat"], True), ([f"class {number}" for number in range(15)], False)):
        loss = load_config(row, {"train_dataloader.dataset.metainfo.classes": classes}).model.semantic_head.loss_seg
        assert (loss.class_weight is None) == left_out
        assert any(("class_weight is for 15" if left_out else "class_weight is taken for") in text for text in said)
        said.clear()


def test_a_data_sets_own_classes_and_wrapped_data_sets_count(tiny_config_file, write):
    @DATASETS.register_module(force=True)
    class Hats(CocoDataset):
        METAINFO = {"classes": ("hat", "cap")}

    base = f"_base_ = '{tiny_config_file}'\n"
    own = "train_dataloader = dict(dataset=dict(type='Hats'))"
    assert heads(load_config(write(base + own))) == [2, 2]
    wrapped = (
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, dataset=dict(type='Hats')))"
    )
    assert heads(load_config(write(base + wrapped))) == [2, 2]


def test_a_segmenter_of_other_classes_trains_and_tests(tiny_config_file, tmp_path):
    """An iteration of its model on its data set, whose file has more categories."""
    config = load_config(tiny_config_file, {"classes": ["skirt", "dress"]})
    init_default_scope("mmdet")
    dataset = DATASETS.build(config.train_dataloader.dataset)
    items = [dataset[index] for index in range(len(dataset))]
    labels = torch.cat([item["data_samples"].gt_instances.labels for item in items])
    assert set(labels.tolist()) <= {0, 1}
    model = MODELS.build({"_scope_": "mmdet", **config.model})
    assert isinstance(model, nn.Module)
    batch = model.data_preprocessor({key: [item[key] for item in items[:2]] for key in items[0]}, training=True)
    losses = model(**batch, mode="loss")
    assert torch.isfinite(losses["loss_mask"])


def test_the_text_of_a_config_is_set_once(tiny_config_file, monkeypatch):
    config, asked = load_config(tiny_config_file), []
    monkeypatch.setattr(Config, "pretty_text", property(lambda self: asked.append(self) or str(self.work_dir)))
    assert [deepcopy(config).pretty_text, config.pretty_text] == [config.work_dir] * 2
    config.work_dir = "elsewhere"
    assert config.pretty_text == "elsewhere"
    assert len(asked) == 2


def test_the_text_is_asked_for_again_where_yapfs_cache_was_being_written(tiny_config_file, monkeypatch):
    answers = [EOFError("Ran out of input"), "set"]

    def text(config):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    config = load_config(tiny_config_file, {"randomness.seed": 1234})
    monkeypatch.setattr(Config, "pretty_text", property(text))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert config.pretty_text == "set"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"train_dataloader.batch_size": 0}, "expected .*1 on, found"),
        ({"val_dataloader.num_workers": -1}, "expected .*0 on, found"),
        ({"train_cfg.max_epochs": 1.5}, "expected a whole number from 1 on, found"),
        ({"train_dataloader.batch_size": 4.0}, "expected a whole number from 1 on, found"),
        ({"optim_wrapper.optimizer.lr": -1}, "expected .*0 on, found"),
        ({"randomness.seed": -1}, "expected .*0 on, found"),
        ({"model.backbone.type": "ResNett"}, "nothing is registered as ResNett; the nearest name is ResNet$"),
        ({"optim_wrapper.optimizer.type": "Adamm"}, "nothing is registered as Adamm; the nearest name is Adam$"),
    ],
)
def test_values_that_nothing_can_be_made_of_are_refused(tiny_config_file, option, expected):
    with pytest.raises(UserError, match=f"--cfg-options {next(iter(option))}: .*{expected}"):
        load_config(tiny_config_file, option)
