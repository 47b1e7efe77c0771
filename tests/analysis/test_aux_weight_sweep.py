"""The sweep's runs: the configs that they come to, the order, what is run again and what is said of a failure."""

import json
from dataclasses import replace

import pytest
from mmengine.config import DictAction

from seg_vton.analysis.aux_weight_sweep import Sweep, plan, run_sweep
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError


def config_of(repo, run):
    """What a run's training is of."""
    options = {}
    for option in (*run.shared, *run.options):
        key, _, value = option.partition("=")
        options[key] = DictAction._parse_iterable(value)
    return load_config(repo / f"configs/tryon/{run.config}.py", options)


def weights(config):
    """Of the loss, and of the classes that weigh more or less than others."""
    head = config.model.get("aux_head")
    return None if head is None else (head.loss_weight, dict(head.class_weight))


def test_every_stage_has_a_row_without_decoder_and_one_for_each_weight(repo, tmp_path):
    runs = plan(Sweep(tmp_path, loss_weights=(0.3, 10), class_weights=(1, 3)))
    usual = {"background": 1.5, "skin": 1.5}
    expected = [None, (0.3, usual), (10, usual), *[(1, {"background": k, "skin": k}) for k in (1, 3)]]
    for stage, found in (("gmm", runs[:5]), ("tom", runs[5:])):
        configs = [config_of(repo, run) for run in found]
        assert [weights(config) for config in configs] == expected
        assert {config.model.type.lower().removesuffix("model") for config in configs} == {stage}


def test_a_row_differs_from_its_config_in_length_seed_and_weights_alone(repo, tmp_path):
    [_, run] = plan(Sweep(tmp_path, ("gmm",), seeds=(7,), iterations=300, loss_weights=(3,), class_weights=()))
    found, plain = config_of(repo, run), load_config(repo / f"configs/tryon/{run.config}.py")
    assert (found.randomness.seed, found.train_cfg.max_iters) == (7, 300)
    decay = found.param_scheduler[0]
    assert (decay.begin, decay.end, decay.end_factor) == (150, 301, 0.0)
    assert found.train_cfg.val_interval > 300  # nothing is validated on the way
    for config in (found, plain):
        for key in ("randomness", "train_cfg", "param_scheduler"):
            config.pop(key, None)
        config.model.aux_head.pop("loss_weight")
    assert found.to_dict() == plain.to_dict()


def test_tom_takes_the_gmm_without_decoder_of_its_seed_which_runs_before(repo, tmp_path):
    runs = plan(Sweep(tmp_path, ("tom",), seeds=(0, 1), iterations=20, loss_weights=(1,), class_weights=()))
    rows = ["gmm_cp-vton", "tom_cp-vton", "tom_aux-seg_loss-weight1"]
    assert [run.name for run in runs] == [f"{row}_seed{seed}" for seed in (0, 1) for row in rows]
    for run in runs[4:]:
        warper = config_of(repo, run).model.warper
        assert warper.checkpoint == str(tmp_path / "gmm_cp-vton_seed1/iter_20.pth")
        assert warper.config.endswith("gmm_cp-vton_128x96_3k_paper-doll.py")


TOOL = """
import json, sys
from pathlib import Path
config, arguments = Path(sys.argv[1]).stem, sys.argv[2:]
folder = Path(arguments[arguments.index("--work-dir") + 1])
folder.mkdir(exist_ok=True)
with (folder.parent / "calls").open("a") as calls:
    print(json.dumps([Path(__file__).stem, folder.name, *arguments, *sys.argv[:2]]), file=calls)
if (folder.parent / "spoilt").is_dir() and folder.name.startswith((folder.parent / "spoilt/name").read_text()):
    sys.exit("error: told to fail")
head = None if "cp-vton_1" in config else dict(loss_weight=3, class_weight=None)
row = dict(stage=config[:3], aux_head=head, iterations=20, image_size=[128, 96], precision="float32")
test = dict(config=config, dataset="paper-doll", split="test", pairs="paired")
result = dict(row=row, training=dict(seed=0), metrics={{"mIoU": 0.5}}, per_class={{}}, **test)
if {tests}:
    Path(arguments[0]).with_suffix(".paper-doll-test.json").write_text(json.dumps(result))
"""


@pytest.fixture
def root(tmp_path):
    """A repository whose tools note how they are called; they fail for the work dirs that `spoil` says."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("train", "test"):
        (tools / f"{name}.py").write_text(TOOL.format(tests=name == "test"))
    return tmp_path


@pytest.fixture
def sweep(root):
    """Two rows of GMM."""
    return Sweep(root / "out", ("gmm",), iterations=20, loss_weights=(3,), class_weights=(), options=("a.b=1",))


def calls(sweep):
    path = sweep.out / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def spoil(sweep, name):
    (sweep.out / "spoilt").mkdir(parents=True, exist_ok=True)
    (sweep.out / "spoilt/name").write_text(name)


def test_each_row_is_trained_and_tested_and_the_table_returned(root, sweep, monkeypatch):
    monkeypatch.chdir(root)
    table = run_sweep(root, sweep)
    assert [call[:2] for call in calls(sweep)] == [
        [tool, row] for row in ("gmm_cp-vton_seed0", "gmm_aux-seg_loss-weight3_seed0") for tool in ("train", "test")
    ]
    train, test = calls(sweep)[2:]
    assert "--resume" in train and "--amp" not in train
    assert {"a.b=1", "model.aux_head.loss_weight=3", "randomness.seed=0"} < set(train)
    assert test[2] == str(sweep.out / "gmm_aux-seg_loss-weight3_seed0/iter_20.pth")
    assert test[test.index("--cfg-options") + 1 : -2] == ["a.b=1"]  # the checkpoint says the rest
    assert test[-2:] == ["tools/test.py", "configs/tryon/gmm_aux-seg_128x96_3k_paper-doll.py"]  # from the repository
    assert table.count("paper") == 0 and len(table.splitlines()) == 4


def test_what_is_there_is_not_run_again(root, sweep):
    first = run_sweep(root, sweep)
    before = calls(sweep)
    assert run_sweep(root, sweep) == first
    assert calls(sweep) == before


@pytest.mark.parametrize("change", [{"iterations": 40}, {"amp": True}, {"options": ()}])
def test_runs_of_other_settings_are_neither_continued_nor_mixed(root, sweep, change):
    run_sweep(root, sweep)
    before = calls(sweep)
    with pytest.raises(UserError, match=r"out has runs with .*'iterations': 20, .*choose another --out"):
        run_sweep(root, replace(sweep, **change))
    assert calls(sweep) == before
    run_sweep(root, replace(sweep, seeds=(1,)))
    assert len(calls(sweep)) == 2 * len(before)


def test_a_failed_row_is_named_with_its_reason_and_run_again_alone(root, sweep):
    spoil(sweep, "gmm_aux-seg")
    with pytest.raises(
        UserError, match=r"1 of 2 runs failed: \S*gmm_aux-seg_loss-weight3_seed0.log ends with 'error: told"
    ):
        run_sweep(root, sweep)
    before = len(calls(sweep))
    spoil(sweep, "nobody")
    run_sweep(root, sweep)
    assert [call[:2] for call in calls(sweep)[before:]] == [
        [tool, "gmm_aux-seg_loss-weight3_seed0"] for tool in ("train", "test")
    ]


def test_when_the_first_row_fails_no_other_is_tried(root, sweep):
    spoil(sweep, "gmm_")
    with pytest.raises(UserError, match="1 of 2 runs failed"):
        run_sweep(root, sweep)
    assert len(calls(sweep)) == 1


def test_nonsense_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no stage unet.*gmm, tom"):
        Sweep(tmp_path, stages=("unet",))
    with pytest.raises(UserError, match="at least 1 iteration"):
        Sweep(tmp_path, iterations=0)
