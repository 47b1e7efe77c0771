import os
import pickle
import pickletools
import resource
import socket
import urllib.error
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import nn

import seg_vton  # noqa: F401  installs the loaders
from seg_vton.engine import checkpoint as ours
from seg_vton.engine.checkpoint import check_fits, convert, load_checkpoint_file, load_weights
from seg_vton.errors import UserError


class Payload:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        """What the unpickler is asked to run."""
        return self.call


@pytest.fixture
def marker(tmp_path):
    """A file that only a payload would make."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists(), "the checkpoint's code ran"


def payloads(marker):
    touch = f"open({str(marker)!r}, 'w').close()"
    return {
        "posix.system": Payload(os.system, f"touch {marker}"),
        "eval": Payload(eval, touch),
        "exec": Payload(exec, touch),
        "__import__": Payload(__import__, "os"),
        f"{open.__module__}.open": Payload(open, str(marker), "w"),  # _io from Python 3.12 on
        "getattr": Payload(getattr, HistoryBuffer, "__subclasses__"),
    }


PLACES = {
    "state_dict": lambda bad: {"state_dict": {"weight": bad}},
    "bare": lambda bad: {"weight": bad},
    "meta": lambda bad: {"state_dict": {}, "meta": {"epoch": bad}},
    "optimizer": lambda bad: {"state_dict": {}, "optimizer": {"state": {0: [bad]}}},
    "message_hub": lambda bad: {"state_dict": {}, "message_hub": {"log_scalars": {"train/loss": bad}}},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", payloads(""))
def test_a_file_that_runs_code_is_refused_and_the_global_is_named(tmp_path, marker, name, place):
    path = tmp_path / "bad.pth"
    torch.save(PLACES[place](payloads(marker)[name]), path)
    with pytest.raises(UserError, match=rf"bad\.pth was refused: it asks for {name}") as error:
        load_checkpoint_file(path)
    assert "\n" not in str(error.value)
    assert "safe_globals" not in str(error.value)  # torch's advice how to run it all the same


def test_the_old_file_format_is_refused_too(tmp_path, marker):
    path = tmp_path / "bad.pth"
    torch.save({"w": payloads(marker)["eval"]}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match="it asks for eval"):
        load_checkpoint_file(path)


def zipped(path, program):
    """A checkpoint in torch's format, `{'it': ...}` with what the pickle operations make."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}" + text("it") + program + b"s.")
        archive.writestr("archive/version", "3\n")


def text(word):
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


BUFFER = b"cmmengine.logging.history_buffer\nHistoryBuffer\n"


def call_getattr(owner, name):
    return b"cbuiltins\ngetattr\n(" + owner + text(name) + b"tR"


@pytest.mark.parametrize(
    "program",
    [
        call_getattr(BUFFER, "__init__"),
        call_getattr(BUFFER, "__globals__"),
        call_getattr(b"ctorch\nTensor\n", "mean"),
        call_getattr(b"cnumpy\ndtype\n", "mean"),
        # getattr(getattr(HistoryBuffer, 'mean'), '__globals__'): a walk from what is allowed
        call_getattr(call_getattr(BUFFER, "mean"), "__globals__"),
    ],
    ids=["method", "globals", "torch", "numpy", "walk"],
)
def test_getattr_reaches_four_statistics_and_nothing_else(tmp_path, program):
    zipped(tmp_path / "bad.pth", program)
    with pytest.raises(UserError, match=r"was refused: it asks for getattr\("):
        load_checkpoint_file(tmp_path / "bad.pth")


@pytest.mark.parametrize("name", ["min", "max", "current", "mean"])
def test_getattr_of_a_statistic_is_the_method(tmp_path, name):
    zipped(tmp_path / "good.pth", call_getattr(BUFFER, name))
    assert load_checkpoint_file(tmp_path / "good.pth")["it"] is getattr(HistoryBuffer, name)


def test_the_real_getattr_stays_forbidden():
    assert getattr not in torch.serialization.get_safe_globals()


def buffer(values):
    history = HistoryBuffer()
    for value in values:
        history.update(value, 1)
    return history


def test_log_history_loads_and_still_counts(tmp_path):
    torch.save({"message_hub": {"log_scalars": {"loss": buffer([4.0, 1.0, 3.0, 2.0])}}}, tmp_path / "a.pth")
    loaded = load_checkpoint_file(tmp_path / "a.pth")["message_hub"]["log_scalars"]["loss"]
    assert loaded.data[0].tolist() == [4.0, 1.0, 3.0, 2.0]
    assert [loaded.statistics(name, 3) for name in ("mean", "max", "min")] == [2.0, 3.0, 1.0]
    assert loaded.current() == 2.0
    loaded.update(6.0, 1)
    assert loaded.mean(2) == 4.0


def test_numbers_of_numpy_and_slices_load(tmp_path):
    content = {
        "float": np.float64(1.5),
        "int": np.int32(-3),
        "bool": np.bool_(True),
        "palette": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "half": np.array([0.5], dtype=np.float16),
        "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big end first": np.array([1.5, 2.5], dtype=">f4"),
        "empty": np.empty((0, 4)),
        "no dimension": np.array(2.0),
        "slice": slice(1, 5, 2),
        "order": OrderedDict(a=torch.Size([2])),
    }
    torch.save(content, tmp_path / "a.pth")
    loaded = load_checkpoint_file(tmp_path / "a.pth")
    assert list(loaded) == list(content)
    for key, value in content.items():
        assert isinstance(loaded[key], type(value))
        if isinstance(value, np.ndarray):
            assert loaded[key].dtype == value.dtype.newbyteorder("=")  # numpy, too, loads into the machine's order
        np.testing.assert_array_equal(loaded[key], value)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_written_by_numpy_1_and_2_load(tmp_path, module):
    other = pickle.dumps(np.array([1.0, 2.0]), protocol=2)
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        other = other.replace(b"c" + name + b"\n", b"c" + module.encode() + b"\n")
    assert module.encode() in other
    zipped(tmp_path / "a.pth", other[2:-1])  # without the protocol and the stop
    assert load_checkpoint_file(tmp_path / "a.pth")["it"].tolist() == [1.0, 2.0]


def array_program(dtype, shape, content=bytes(8)):
    """The pickle of a numpy array whose dtype is made by the given program."""
    number = {0: b"K\x00", 1: b"K\x01", 2: b"K\x02"}
    fill = b"c_codecs\nencode\n" + text(content.decode("latin1")) + text("latin1") + b"\x86R"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text("b") + b"tR"
    return start + b"(K\x01(" + b"".join(number[n] for n in shape) + b"t" + dtype + b"\x89" + fill + b"tb"


def dtype_program(code, flags=0, subarray=b"N"):
    made = b"cnumpy\ndtype\n(" + text(code) + b"\x89\x88tR"
    minus = b"J\xff\xff\xff\xff"
    return made + b"(K\x03" + text("<") + subarray + b"NN" + minus + minus + b"K" + bytes([flags]) + b"tb"


def test_the_programs_here_are_those_of_arrays(tmp_path):
    zipped(tmp_path / "a.pth", array_program(dtype_program("f8"), [1], np.float64(2.5).tobytes()))
    assert load_checkpoint_file(tmp_path / "a.pth")["it"].tolist() == [2.5]


@pytest.mark.parametrize(
    "program",
    [
        array_program(dtype_program("O8"), [1]),
        array_program(dtype_program("V8"), [1]),
        array_program(dtype_program("f8", flags=63), [1]),  # "these bytes are references"
        array_program(dtype_program("f8", subarray=dtype_program("f8") + b"K\x01\x85\x86"), [1]),
    ],
    ids=["objects", "records", "flags", "subarray"],
)
def test_arrays_hold_numbers_and_no_references(tmp_path, program):
    """numpy would take the bytes of such an array for addresses."""
    zipped(tmp_path / "bad.pth", program)
    with pytest.raises(UserError, match=r"was refused: it asks for numpy\.dtype"):
        load_checkpoint_file(tmp_path / "bad.pth")


@pytest.mark.parametrize("shape", [[2], [2, 2], [0]])
def test_arrays_have_the_bytes_that_their_shape_needs(tmp_path, shape):
    zipped(tmp_path / "bad.pth", array_program(dtype_program("f8"), shape))
    with pytest.raises(UserError, match="the bytes of an array do not fit its shape"):
        load_checkpoint_file(tmp_path / "bad.pth")


def test_what_was_loaded_is_written_as_numpy_writes_it(tmp_path):
    """A resumed training saves the log that it loaded."""
    content = {"log": buffer([4.0, 1.0]), "array": np.arange(3.0), "number": np.float64(3)}
    torch.save(content, tmp_path / "first.pth")
    torch.save(load_checkpoint_file(tmp_path / "first.pth"), tmp_path / "second.pth")
    asked = []
    for name in ("first", "second"):
        program = zipfile.ZipFile(tmp_path / f"{name}.pth").read(f"{name}/data.pkl")
        asked.append([argument for code, argument, _ in pickletools.genops(program) if code.name == "GLOBAL"])
    assert asked[0] == asked[1]
    again = load_checkpoint_file(tmp_path / "second.pth")
    assert again["log"].data[0].tolist() == [4.0, 1.0]
    assert again["array"].tolist() == [0, 1, 2]


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match="does not exist or is not a file") as error:
            load_checkpoint_file(path)
        assert str(path) in str(error.value)


def broken_files():
    return {
        "empty": b"",
        "a web page": b"<!DOCTYPE html><html>404</html>",
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        "a pickle": pickle.dumps({"state_dict": {}}),
    }


@pytest.mark.parametrize("name", broken_files())
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path, name):
    path = tmp_path / "odd.pth"
    path.write_bytes(broken_files()[name])
    with pytest.raises(UserError, match=r"odd\.pth cannot be read as a checkpoint \(\S") as error:
        load_checkpoint_file(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old format"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_file_cut_off_is_said_to_be_cut_off(tmp_path, new, share):
    path = tmp_path / "cut.pth"
    torch.save({"state_dict": {"w": torch.arange(5000.0)}}, path, _use_new_zipfile_serialization=new)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=r"cut\.pth cannot be read as a checkpoint .*cut off"):
        load_checkpoint_file(path)


def test_damaged_bytes_never_end_in_another_error(tmp_path):
    """Flips single bytes of a whole file: it reads, or it is refused with our message."""
    path = tmp_path / "damaged.pth"
    torch.save({"w": torch.arange(4.0), "h": buffer([1.0]), "m": {"x": [1, 2.5, "abc"]}}, path)
    whole = path.read_bytes()
    torch.save(load_checkpoint_file(path), path, _use_new_zipfile_serialization=False)
    old = path.read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for content in [whole, old] * 150:
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 2):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            load_checkpoint_file(path)
        except UserError:
            refused += 1
    assert refused > 30


def test_torchscript_is_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "script.pt")
    with pytest.raises(UserError, match=r"script\.pt cannot be read as a checkpoint"):
        load_checkpoint_file(tmp_path / "script.pt")


# ---- every way into mmengine


@pytest.fixture
def bad(tmp_path, marker):
    path = tmp_path / "bad.pth"
    torch.save({"state_dict": {"weight": payloads(marker)["posix.system"]}, "meta": {}, "message_hub": {}}, path)
    return str(path)


def test_load_checkpoint_goes_through_ours(bad):
    with pytest.raises(UserError, match=r"posix\.system"):
        load_checkpoint(nn.Linear(2, 2), bad)
    with pytest.raises(UserError, match=r"posix\.system"):
        CheckpointLoader.load_checkpoint(bad)
    with pytest.raises(UserError, match=r"posix\.system"):
        mmengine_checkpoint.load_from_local(bad, "cpu")


def test_pretrained_weights_go_through_ours(bad):
    for settings in ({}, {"prefix": "backbone"}):
        module = BaseModule(init_cfg={"type": "Pretrained", "checkpoint": bad, **settings})
        with pytest.raises(UserError, match=r"posix\.system"):
            module.init_weights()


class Line(BaseModel):
    """A model of two numbers."""

    def __init__(self):
        super().__init__()
        self.fit = nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        """Squared error."""
        return {"loss": (self.fit(inputs) - 1).square().mean()}


def line_runner(folder, **settings):
    config = {
        "model": Line(),
        "work_dir": str(folder),
        "train_dataloader": {
            "dataset": [torch.ones(1), torch.zeros(1)],
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": 1,
            "num_workers": 0,
        },
        "train_cfg": {"by_epoch": True, "max_epochs": 2},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}},
        "default_hooks": {"runtime_info": {"type": "RuntimeInfoHook"}},
        "experiment_name": folder.name,
        "log_level": "ERROR",
    }
    return Runner(**config | settings, cfg=Config({}))


@pytest.fixture
def trained(tmp_path):
    """The checkpoint of a real mmengine training."""
    line_runner(tmp_path / "first").train()
    return tmp_path / "first" / "epoch_2.pth"


def test_a_real_checkpoint_loads_and_resumes(tmp_path, trained):
    scalars = load_checkpoint_file(trained)["message_hub"]["log_scalars"]
    losses = scalars["train/loss"].data[0]
    assert scalars["train/loss"].mean(4) == pytest.approx(losses.mean())
    assert len(losses) == 4
    runner = line_runner(tmp_path / "second", train_cfg={"by_epoch": True, "max_epochs": 3})
    runner.build_train_loop(runner._train_loop)
    runner.resume(str(trained), resume_optimizer=False, resume_param_scheduler=False)
    assert (runner.epoch, runner.iter) == (2, 4)
    resumed = runner.message_hub.get_scalar("train/loss")
    assert resumed.data[0].tolist() == losses.tolist()


@pytest.mark.parametrize("resume", [False, True])
def test_the_runner_goes_through_ours(tmp_path, bad, resume):
    runner = line_runner(tmp_path / "work", load_from=bad, resume=resume)
    with pytest.raises(UserError, match=r"posix\.system"):
        runner.train()


def test_resuming_runs_no_config_text_of_the_file(tmp_path, trained, marker):
    """mmengine's Runner.resume executes `meta['config']`, a plain string, as a Python config."""
    content = load_checkpoint_file(trained)
    content["meta"]["config"] = f"open({str(marker)!r}, 'w').close()\ngpu_ids = None\n"
    torch.save(content, tmp_path / "text.pth")
    line_runner(tmp_path / "work", load_from=str(tmp_path / "text.pth"), resume=True).train()
    assert "config" not in load_checkpoint_file(tmp_path / "text.pth")["meta"]


# ---- addresses


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of torch's hub and of mmengine, and no network."""

    def offline(address, *_):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MMENGINE_HOME", str(tmp_path / "mmengine"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (tmp_path / "mmengine").mkdir()
    return folder


ADDRESS = "https://example.org/models/net-0123abcd.pth"


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS + "?download=1", "http://example.org/net-0123abcd.pth"])
def test_a_cached_file_is_read_without_the_network(hub, address):
    torch.save({"w": torch.ones(2)}, hub / "net-0123abcd.pth")
    assert CheckpointLoader.load_checkpoint(address)["w"].tolist() == [1.0, 1.0]


def test_a_cached_file_is_untrusted_too(hub, marker):
    torch.save({"w": payloads(marker)["eval"]}, hub / "net-0123abcd.pth")
    with pytest.raises(UserError, match="it asks for eval"):
        CheckpointLoader.load_checkpoint(ADDRESS)


def test_the_hash_in_the_name_is_handed_to_the_download(hub, monkeypatch):
    asked = []

    def download(address, target, prefix):
        asked.append((address, prefix))
        assert socket.getdefaulttimeout()  # a dead server ends the wait
        torch.save({"w": torch.zeros(1)}, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        assert CheckpointLoader.load_checkpoint(ADDRESS)["w"].item() == 0
    assert asked == [(ADDRESS, "0123abcd")]
    assert socket.getdefaulttimeout() is None


def test_without_network_the_message_says_where_to_put_the_file(hub):
    with pytest.raises(UserError, match=r"could not be downloaded .*no network in tests") as error:
        CheckpointLoader.load_checkpoint(ADDRESS)
    assert str(hub / "net-0123abcd.pth") in str(error.value)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("torchvision://resnet50", "resnet50-0676ba61.pth"),
        ("open-mmlab://detectron2/resnet50_caffe", "resnet50_msra-5891d200.pth"),
    ],
)
def test_names_of_torchvision_and_openmmlab_are_read_from_the_cache(hub, marker, address, name):
    torch.save({"w": torch.ones(1)}, hub / name)
    assert CheckpointLoader.load_checkpoint(address)["w"].item() == 1
    torch.save({"w": payloads(marker)["eval"]}, hub / name)
    with pytest.raises(UserError, match="it asks for eval"):
        CheckpointLoader.load_checkpoint(address)


def test_a_local_file_under_an_openmmlab_name_is_untrusted_too(hub, tmp_path, marker):
    (tmp_path / "mmengine" / "open_mmlab.json").write_text('{"mine": "mine.pth"}')
    torch.save({"w": payloads(marker)["posix.system"]}, tmp_path / "mmengine" / "mine.pth")
    with pytest.raises(UserError, match=r"mine\.pth was refused: it asks for posix\.system"):
        CheckpointLoader.load_checkpoint("open-mmlab://mine")


def test_an_unknown_openmmlab_name_is_named(hub):
    with pytest.raises(UserError, match="open-mmlab://resnet5000: OpenMMLab has no weights of this name"):
        CheckpointLoader.load_checkpoint("open-mmlab://resnet5000")


@pytest.mark.parametrize("address", ["s3://bucket/a.pth", "pavi://a", "petrel://a", "cluster:s3://a"])
def test_storage_clients_that_unpickle_on_their_own_are_gone(address):
    with pytest.raises(UserError, match="does not exist"):
        CheckpointLoader.load_checkpoint(address)


def test_installing_twice_changes_nothing():
    before = dict(CheckpointLoader._schemes), set(torch.serialization.get_safe_globals())
    ours.install()
    assert (dict(CheckpointLoader._schemes), set(torch.serialization.get_safe_globals())) == before


# ---- fit


def network():
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, 2)))


def test_the_models_own_weights_fit():
    state = network().state_dict()
    check_fits(network(), state, "a.pth")
    check_fits(network(), {"state_dict": state, "meta": {}}, "a.pth")
    check_fits(network(), {key: value for key, value in state.items() if "num_batches" not in key}, "a.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("place", [None, "state_dict", "model", "net"])
def test_weights_get_into_the_model_whatever_their_prefix_and_place(tmp_path, prefix, place):
    trained, model, path = network(), network(), tmp_path / "a.pth"
    trained.norm.running_mean.fill_(3)
    state = {f"{prefix}{key}": value for key, value in trained.state_dict().items() if "num_batches" not in key}
    state |= {f"ema_{key.replace('.', '_')}": value + 1 for key, value in trained.named_parameters()}
    rest = {"optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}, "random": {"cpu": torch.ones(3)}, "epoch": 3}
    torch.save(state if place is None else {place: state, **rest}, path)
    load_weights(model, load_checkpoint_file(path), path)
    assert all(value.equal(trained.state_dict()[key]) for key, value in model.state_dict().items())
    del state[f"{prefix}head.bias"]
    torch.save({place: state} if place else state, path)
    with pytest.raises(UserError, match=r"1 missing: head\.bias"):
        load_weights(model, load_checkpoint_file(path), path)


def test_of_several_state_dicts_none_is_chosen(tmp_path):
    torch.save({"model": network().state_dict(), "ema": network().state_dict()}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth holds several state dicts \(model, ema\): save the one"):
        load_checkpoint_file(tmp_path / "a.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_and_named(value):
    state = network().state_dict()
    state["norm.running_var"][2] = value
    model = network()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(UserError, match=r"a\.pth holds NaN or infinity in .*norm\.running_var \(1 of 9 tensors\)"):
        load_weights(model, {"state_dict": state}, "a.pth")
    assert all(tensor.equal(before[key]) for key, tensor in model.state_dict().items())


def test_wrappers_of_the_model_do_not_matter():
    from mmdet.registry import MODELS

    line = Line()
    wrapped = MODELS.build({"type": "InstanceTTAModel", "tta_cfg": {}, "module": line})
    check_fits(wrapped, line.state_dict(), "a.pth")
    with pytest.raises(UserError, match=r"2 missing: fit\.weight, fit\.bias"):
        check_fits(wrapped, {}, "a.pth")


def test_what_does_not_fit_is_counted_and_the_first_keys_are_named():
    state = network().state_dict()
    state["conv.weight"] = torch.zeros(4, 3, 1, 1)
    for key in ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"):
        state[f"bn.{key}"] = state.pop(key)
    with pytest.raises(UserError) as error:
        check_fits(network(), state, "other.pth")
    for part in (
        "other.pth does not fit",
        "4 missing: norm.weight, norm.bias, norm.running_mean, ...",
        "4 unexpected: bn.norm.weight,",
        "1 of another shape: conv.weight 4x3x1x1 instead of 4x3x3x3",
    ):
        assert part in str(error.value)


def test_names_with_a_prefix_of_another_library_are_called_that():
    state = {f"net.model.{key}": value for key, value in network().state_dict().items()}
    with pytest.raises(UserError, match=r"a\.pth does not fit .*\. Take 'net\.model\.' off its names"):
        check_fits(network(), state, "a.pth")


def test_for_transfer_something_must_fit():
    state = network().state_dict()
    check_fits(network(), {"conv.bias": state["conv.bias"], "conv.weight": torch.ones(2)}, "a.pth", partly=True)
    with pytest.raises(UserError, match=r"a\.pth does not fit .*8 missing.*1 unexpected: other\.bias"):
        check_fits(network(), {"other.bias": state["conv.bias"]}, "a.pth", partly=True)


@pytest.mark.parametrize("change", [torch.Tensor.to_sparse, lambda weight: weight.to(torch.complex64), str])
def test_a_weight_that_is_no_plain_tensor_does_not_fit(change):
    state = network().state_dict()
    state["conv.weight"] = change(state["conv.weight"])
    with pytest.raises(UserError, match=r"other\.pth does not fit .*conv\.weight no tensor instead of 4x3x3x3"):
        check_fits(network(), state, "other.pth")


@pytest.mark.parametrize("content", [[torch.ones(1)], torch.ones(1), None])
def test_a_file_without_a_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth has no state dict: expected a dict, found"):
        load_checkpoint_file(tmp_path / "a.pth")


def test_weights_and_what_is_known_of_them_are_converted_there_and_back(tmp_path):
    meta = {"seed": np.int64(3), "dataset_meta": {"classes": ("top",), "palette": np.zeros((1, 3), int)}, "time": "now"}
    torch.save({"state_dict": {"module.w": torch.rand(2, 3).t()}, "meta": meta}, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "b.pth")
    first, last = (load_checkpoint_file(tmp_path / name) for name in ("a.pth", "b.pth"))
    assert torch.equal(last["state_dict"]["w"], first["state_dict"]["w"])
    assert last["meta"] == {"seed": 3, "dataset_meta": {"classes": ["top"], "palette": [[0, 0, 0]]}}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_cannot_be_converted_says_why(tmp_path, suffix):
    torch.save({"state_dict": [1], "meta": 3}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth has no state dict: expected a dict, found list"):
        convert(tmp_path / "a.pth", tmp_path / f"b{suffix}")
    torch.save({"state_dict": {"w": torch.ones(100_000)}, "meta": 3}, tmp_path / "a.pth")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UserError, match=rf"b\{suffix} cannot be written: File too large\. .*make room"):
            convert(tmp_path / "a.pth", tmp_path / f"b{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_without_a_state_dict_nothing_fits():
    with pytest.raises(UserError, match=r"a\.pth has no state dict: expected a dict, found list"):
        check_fits(network(), {"state_dict": [1]}, "a.pth")
