from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from PIL import Image

import seg_vton  # noqa: F401  registers
from seg_vton.errors import UserError
from seg_vton.labels import TRYON8, load_palette_png
from seg_vton.registry import HOOKS
from seg_vton.tryon.visualization import PictureVisualizer, TryOnVisualizationHook, draw_pose, panel

SIZE = (128, 96)


def batch(pairs, paired=True, stage="tom", head=True, target=False, seed=0):
    """A loader's batch and a model's predictions for (person, garment) names."""
    generator = torch.Generator().manual_seed(seed)

    def images(channels):
        return torch.rand(len(pairs), channels, *SIZE, generator=generator) * 2 - 1

    inputs = dict(agnostic=images(22), cloth=images(3), image=images(3), parse_cloth=images(3))
    if target:
        inputs["target"] = images(3)
    keys = ("warped_cloth",) if stage == "gmm" else ("warped_cloth", "rendered", "try_on")
    masks = ("warped_mask",) if stage == "gmm" else ("warped_mask", "mask")
    predicted = {key: images(3) for key in keys} | {key: images(1) / 2 + 0.5 for key in masks}
    if head:
        predicted["seg_map"] = torch.randint(0, 8, (len(pairs), *SIZE), generator=generator)
    samples = [
        BaseDataElement(metainfo=dict(person=p, garment=g, paired=paired, label_space="tryon8")) for p, g in pairs
    ]
    outputs = [sample.new(**{k: v[i] for k, v in predicted.items()}) for i, sample in enumerate(samples)]
    return dict(inputs=inputs, data_samples=samples), outputs


class Shown:
    """A visualizer that keeps what it is given."""

    def __init__(self):
        self.images = []

    def add_image(self, name, image, step):
        """Keeps an image."""
        self.images.append((name, image, step))


def runner(batch_size=2):
    return SimpleNamespace(test_dataloader=SimpleNamespace(batch_size=batch_size), visualizer=Shown(), iter=500)


def run_test(hook, *batches):
    """Runs the hook through a test loop."""
    hook.before_test(runner())
    for index, (data, outputs) in enumerate(batches):
        hook.after_test_iter(runner(), index, data, outputs)


PAIRS = [("a", "x"), ("a", "y"), ("b", "x")]


def pixels(path):
    return np.asarray(Image.open(path))


def test_files_are_named_after_person_and_garment_and_hold_the_predictions(tmp_path):
    hook = HOOKS.build(dict(type="TryOnVisualizationHook", out_dir=str(tmp_path)))
    data, outputs = batch(PAIRS)
    run_test(hook, (data, outputs))
    folders = ("try-on", "rendered", "warp-cloth", "warp-mask", "composition-mask", "segmentation", "panels")
    names = ["a_x.png", "a_y.png", "b_x.png"]
    assert {p.name: sorted(f.name for f in p.iterdir()) for p in tmp_path.iterdir()} == dict.fromkeys(folders, names)
    for name, output in zip(names, outputs, strict=True):
        for key, folder in (("try_on", "try-on"), ("rendered", "rendered"), ("warped_cloth", "warp-cloth")):
            expected = ((output.get(key).permute(1, 2, 0).double() + 1) * 127.5).round().numpy()
            np.testing.assert_array_equal(pixels(tmp_path / folder / name), expected)
        for key, folder in (("mask", "composition-mask"), ("warped_mask", "warp-mask")):
            gray = pixels(tmp_path / folder / name)
            assert gray.shape == SIZE
            np.testing.assert_allclose(gray / 255, output.get(key)[0].numpy(), atol=0.51 / 255)
        labels = load_palette_png(tmp_path / "segmentation" / name, "tryon8")
        np.testing.assert_array_equal(labels, output.seg_map.numpy())


def test_a_gmm_without_a_head_writes_the_warps_alone(tmp_path):
    run_test(TryOnVisualizationHook(str(tmp_path)), batch(PAIRS, stage="gmm", head=False))
    assert {path.name for path in tmp_path.iterdir()} == {"warp-cloth", "warp-mask", "panels"}


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for run in ("one", "two"):
        run_test(TryOnVisualizationHook(str(tmp_path / run)), batch(PAIRS))
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png"))
    assert len(files) == 21
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_an_earlier_tests_images_are_kept_unless_they_may_go(tmp_path):
    run_test(TryOnVisualizationHook(str(tmp_path)), batch(PAIRS))
    before = pixels(tmp_path / "try-on" / "a_x.png")
    with pytest.raises(UserError, match=r"has the images of an earlier test \(try-on, .*--overwrite"):
        TryOnVisualizationHook(str(tmp_path)).before_test(runner())
    np.testing.assert_array_equal(pixels(tmp_path / "try-on" / "a_x.png"), before)
    run_test(TryOnVisualizationHook(str(tmp_path), overwrite=True), batch(PAIRS, seed=1))
    assert (pixels(tmp_path / "try-on" / "a_x.png") != before).any()


def test_a_pair_that_comes_twice_is_no_collision_but_two_pairs_of_one_name_are(tmp_path):
    run_test(TryOnVisualizationHook(str(tmp_path / "padded")), batch(PAIRS), batch(PAIRS[:1]))
    with pytest.raises(UserError, match=r"would both be written to a_b_c\.png"):
        run_test(TryOnVisualizationHook(str(tmp_path / "clash")), batch([("a", "b_c"), ("a_b", "c")]))


@pytest.mark.parametrize(("panels", "expected"), [(None, 5), (3, 3), (0, 0)])
def test_panels_are_of_the_first_pairs(tmp_path, panels, expected):
    pairs = [(str(i), "g") for i in range(5)]
    run_test(
        TryOnVisualizationHook(str(tmp_path), panels=panels), batch(pairs[:2]), batch(pairs[2:4]), batch(pairs[4:])
    )
    assert sorted(p.name for p in (tmp_path / "panels").glob("*")) == [f"{i}_g.png" for i in range(expected)]
    assert len(list((tmp_path / "try-on").iterdir())) == 5


def test_without_a_folder_testing_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_test(TryOnVisualizationHook(), batch(PAIRS))
    assert list(tmp_path.iterdir()) == []


def test_validation_shows_the_first_pairs_each_time():
    hook, run = TryOnVisualizationHook(val_panels=2), runner()
    for _ in range(2):
        hook.before_val(run)
        hook.after_val_iter(run, 0, *batch(PAIRS[:1]))
        hook.after_val_iter(run, 1, *batch(PAIRS[1:]))
    assert [(name, step) for name, _, step in run.visualizer.images] == 2 * [("a_x_iter", 500), ("a_y_iter", 500)]
    assert all(image.dtype == np.uint8 for _, image, _ in run.visualizer.images)


def cell(picture, row, column, scale=2):
    """One of a panel's pictures, found by the layout: captions of 1.7 times the text's size, gaps of 8 pixels."""
    height, width = SIZE[0] * scale, SIZE[1] * scale
    line = round(1.7 * max(11, height // 20))
    y, x = row * (height + line + 8) + line, 8 + column * (width + 8)
    return picture[y : y + height : scale, x : x + width : scale]


def as_rgb(image):
    return ((image.permute(1, 2, 0).double() + 1) * 127.5).round().numpy()


def test_the_panel_is_cp_vtons_three_by_three():
    data, (output,) = batch(PAIRS[:1])
    inputs = {key: value[0] for key, value in data["inputs"].items()}
    picture = panel(inputs, output)
    expected = [
        [as_rgb(inputs["agnostic"][1:4]), as_rgb(inputs["agnostic"][:1].expand(3, -1, -1)), None],
        [as_rgb(inputs["cloth"]), as_rgb(output.warped_cloth), as_rgb(inputs["parse_cloth"])],
        [np.array(TRYON8.palette)[output.seg_map.numpy()], as_rgb(output.try_on), as_rgb(inputs["image"])],
    ]
    expected[0][2] = draw_pose(inputs["agnostic"][4:])
    for row in range(3):
        for column in range(3):
            np.testing.assert_array_equal(cell(picture, row, column), expected[row][column], f"{row}, {column}")


def test_an_unpaired_target_is_the_truth_or_blank():
    for target in (True, False):
        data, (output,) = batch(PAIRS[:1], paired=False, target=target)
        inputs = {key: value[0] for key, value in data["inputs"].items()}
        shown = cell(panel(inputs, output), 1, 2)
        np.testing.assert_array_equal(shown, as_rgb(inputs["target"]) if target else np.full((*SIZE, 3), 232))


def test_of_a_gmm_the_panel_lays_the_garment_over_the_person():
    data, (output,) = batch(PAIRS[:1], stage="gmm", head=False)
    output.warped_mask = torch.zeros(1, *SIZE)
    output.warped_mask[:, :50] = 1
    inputs = {key: value[0] for key, value in data["inputs"].items()}
    shown = cell(panel(inputs, output), 2, 1)
    np.testing.assert_array_equal(shown[:50], as_rgb(output.warped_cloth)[:50])
    np.testing.assert_array_equal(shown[50:], as_rgb(inputs["image"])[50:])
    assert np.unique(cell(panel(inputs, output), 2, 0)).tolist() == [232]


def test_joints_are_drawn_where_they_are_each_in_its_color():
    pose = -torch.ones(18, 20, 20)
    pose[0, 2:4, 2:4] = 1
    pose[9, 10:12, 5:7] = 1
    picture = draw_pose(pose)
    assert {tuple(color) for color in picture.reshape(-1, 3)} == {
        (0, 0, 0),
        tuple(picture[2, 2]),
        tuple(picture[10, 5]),
    }
    assert (picture.any(-1).nonzero()[0].tolist()) == [2, 2, 3, 3, 10, 10, 11, 11]


def test_the_visualizer_draws_as_mmengines_does():
    picture, box = np.zeros((20, 30, 3), np.uint8), torch.tensor([4, 5, 20, 15])
    drawn = []
    for kind in (Visualizer, PictureVisualizer):
        visualizer = kind(image=picture)
        visualizer.draw_bboxes(box, edge_colors="r")
        drawn.append(visualizer.get_image())
    assert drawn[0].any()
    np.testing.assert_array_equal(*drawn)
    assert PictureVisualizer().ax_save is None
