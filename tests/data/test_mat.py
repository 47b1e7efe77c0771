import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_vton.data.mat import read_mat
from seg_vton.errors import UserError

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@settings(deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=3),
    compressed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_arrays_are_as_scipy_wrote_them(tmp_path_factory, dtype, shape, compressed, seed):
    path = tmp_path_factory.mktemp("mat") / "x.mat"
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    scipy.io.savemat(path, {"first": np.zeros((2, 3)), "wanted": array}, do_compression=compressed)
    read = read_mat(path, "wanted")
    assert read.dtype == scipy.io.loadmat(path)["wanted"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("compressed", [False, True])
def test_texts_and_cells(tmp_path, compressed):
    cells = np.empty((1, 4), dtype=object)
    cells[0] = ["null", "t-shirt", "größe", np.arange(3.0)]
    scipy.io.savemat(tmp_path / "x.mat", {"label_list": cells, "text": "abcd"}, do_compression=compressed)
    read = read_mat(tmp_path / "x.mat", "label_list")
    assert read[:3] == ["null", "t-shirt", "größe"]
    np.testing.assert_array_equal(read[3], [[0, 1, 2]])
    assert read_mat(tmp_path / "x.mat", "text") == "abcd"


def test_missing_file_variable_and_kind(tmp_path):
    with pytest.raises(UserError, match=r"x\.mat does not exist"):
        read_mat(tmp_path / "x.mat", "a")
    scipy.io.savemat(tmp_path / "x.mat", {"b": 1, "c": 2, "s": {"field": 1}})
    with pytest.raises(UserError, match=r"no variable 'a', it has: b, c, s"):
        read_mat(tmp_path / "x.mat", "a")
    with pytest.raises(UserError, match=r"a matrix of class 2 .* not supported"):
        read_mat(tmp_path / "x.mat", "s")
    (tmp_path / "x.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(UserError, match=r"x\.mat is not a whole MATLAB 5 file \(the header"):
        read_mat(tmp_path / "x.mat", "a")


def test_packed_bomb_is_refused(tmp_path, monkeypatch):
    scipy.io.savemat(tmp_path / "x.mat", {"a": np.zeros((100, 100))}, do_compression=True)
    monkeypatch.setattr("seg_vton.data.mat._MAX_BYTES", 1000)
    with pytest.raises(UserError, match="cut off or too large"):
        read_mat(tmp_path / "x.mat", "a")


@pytest.mark.parametrize("compressed", [False, True])
def test_cut_files_are_errors(tmp_path, compressed):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"a": np.arange(60, dtype=np.uint8).reshape(6, 10)}, do_compression=compressed)
    whole = path.read_bytes()
    for keep in range(0, len(whole) - 8, 3):  # the last bytes may be padding
        path.write_bytes(whole[:keep])
        with pytest.raises(UserError, match=r"x\.mat"):
            read_mat(path, "a")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_garbled_files_are_errors_or_arrays(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mat") / "x.mat"
    cells = np.empty((1, 2), dtype=object)
    cells[0] = ["null", "bag"]
    scipy.io.savemat(path, {"a": np.arange(6, dtype=np.uint8), "b": cells}, do_compression=data.draw(st.booleans()))
    garbled = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        garbled[data.draw(st.integers(120, len(garbled) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(garbled))
    for name in ("a", "b"):
        try:
            read_mat(path, name)
        except UserError as error:
            assert str(path) in str(error)
