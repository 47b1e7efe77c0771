"""What a try-on run shows: images, intermediates and panels of each pair, while it is tested or validated."""

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from mmengine.dist import barrier, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from torch import Tensor

from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, get_space, save_palette_png
from seg_vton.pictures.drawing import Color, grid
from seg_vton.pictures.images import save_picture
from seg_vton.pose.joints import NUM_JOINTS
from seg_vton.registry import HOOKS, VISUALIZERS
from seg_vton.tryon.datasets.agnostic import NUM_CHANNELS
from seg_vton.tryon.metrics.image_quality import as_bytes

FOLDERS = {
    "try_on": "try-on",
    "warped_cloth": "warp-cloth",
    "warped_mask": "warp-mask",
    "mask": "composition-mask",
    "rendered": "rendered",
    "seg_map": "segmentation",
}
"""Folder of each prediction. The names of the warps are those that `TryOnDataset` reads exported warps from."""

PANELS = "panels"

_COLOR_KEYS = ("try_on", "warped_cloth", "rendered")
_LEAST_HEIGHT = 256  # pixels of a panel's pictures: smaller ones are enlarged, so that captions can be read
_BLANK = 232  # gray level of a picture that there is not


@VISUALIZERS.register_module()
class PictureVisualizer(Visualizer):
    """mmengine's visualizer without its figure, until something is drawn on a picture.

    The figure needs matplotlib, which takes a second to import; try-on hands over pictures that are finished.
    """

    def _initialize_fig(
        self, fig_cfg: dict[str, Any]
    ) -> tuple[Any, ...]:  # mmengine's constructor has no other way out
        self._figure_settings = fig_cfg
        return None, SimpleNamespace(get_dpi=lambda: None), None

    def set_image(self, image: np.ndarray) -> None:
        """Takes the picture to draw on, uint8 RGB `(H, W, 3)`."""
        if self.ax_save is None:
            self.fig_save_canvas, self.fig_save, self.ax_save = super()._initialize_fig(self._figure_settings)
            self.dpi = self.fig_save.get_dpi()
        super().set_image(image)


@HOOKS.register_module()
class TryOnVisualizationHook(Hook):
    """Writes every tested pair's images and panel, and a few panels at each validation.

    Testing writes `OUT_DIR/FOLDER/PERSON_GARMENT.png`, so that two garments on one person never collide: `try-on`,
    `rendered` and `warp-cloth` (RGB), `warp-mask` and `composition-mask` (gray, 255 is 1), `segmentation` (palette
    PNG in the named label space), as far as the model predicts them, and `panels`. The folders of a tested GMM are
    those a TOM reads with `folders=dict(warped_cloth="OUT_DIR/warp-cloth", warped_mask="OUT_DIR/warp-mask")`.

    Validation hands the panels of the first pairs of the validation set to the runner's visualizer, and so to its
    backends: `vis_image/PERSON_GARMENT_iter_ITERATION.png` in the run's folder, TensorBoard where configured.

    Args:
        out_dir: folder for what testing writes, or None to write nothing.
        panels: of how many tested pairs a panel is written, the first ones; None for all.
        val_panels: number of panels at each validation.
        overwrite: whether files of an earlier test in `out_dir` may be replaced.
    """

    priority = "BELOW_NORMAL"

    def __init__(
        self, out_dir: str | None = None, panels: int | None = None, val_panels: int = 4, overwrite: bool = False
    ) -> None:
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.panels, self.val_panels, self.overwrite = panels, val_panels, overwrite
        self._pair_of: dict[str, tuple[str, str]] = {}
        self._shown = 0

    def before_test(self, runner: Runner) -> None:
        """Looks at the output folder before anything is computed; an earlier test's files there are a `UserError`."""
        if self.out_dir is None:
            return
        used = [name for name in (*FOLDERS.values(), PANELS) if any((self.out_dir / name).glob("*.png"))]
        if used and not self.overwrite:
            raise UserError(
                f"{self.out_dir} has the images of an earlier test ({', '.join(used)}): pass --overwrite to replace "
                "them, or choose another folder"
            )
        self._pair_of.clear()
        barrier()  # no process writes before all have looked

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[BaseDataElement] | None = None
    ) -> None:
        """Writes the images of a batch; two pairs that would have one file name are a `UserError`."""
        if self.out_dir is None:
            return
        first = batch_idx * runner.test_dataloader.batch_size  # of this process
        for index, (inputs, sample) in enumerate(_items(data_batch, outputs)):
            name, pair = f"{pair_name(sample)}.png", (sample.person, sample.garment)
            if (same := self._pair_of.setdefault(name, pair)) != pair:
                raise UserError(f"the pairs {same} and {pair} would both be written to {name}: rename one")
            write_predictions(self.out_dir, name, sample)
            if self.panels is None or first + index < self.panels:
                save_picture(self.out_dir / PANELS / name, panel(inputs, sample))

    def before_val(self, runner: Runner) -> None:
        """Starts counting panels."""
        self._shown = 0

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[BaseDataElement] | None = None
    ) -> None:
        """Shows the panels of the first pairs."""
        if get_rank() != 0:
            return
        for inputs, sample in _items(data_batch, outputs):
            if self._shown == self.val_panels:
                return
            self._shown += 1
            runner.visualizer.add_image(f"{pair_name(sample)}_iter", panel(inputs, sample), step=runner.iter)


def pair_name(sample: BaseDataElement) -> str:
    """`PERSON_GARMENT`: what the files of a pair are called."""
    return f"{sample.person}_{sample.garment}"


def _items(
    data_batch: Mapping[str, Any], outputs: Sequence[BaseDataElement]
) -> Iterator[tuple[dict[str, Tensor], BaseDataElement]]:
    for index, sample in enumerate(outputs):
        yield {key: values[index] for key, values in data_batch["inputs"].items()}, sample


def write_predictions(out_dir: Path, name: str, sample: BaseDataElement) -> None:
    """Writes what a model predicts of a pair, each to its folder; what stood under the name is replaced.

    Args:
        out_dir: parent of the folders `FOLDERS`.
        name: the file name, `PERSON_GARMENT.png`.
        sample: images `(3, H, W)` in [-1, 1], masks `(1, H, W)` in [0, 1], `seg_map` `(H, W)`, as far as there are any,
            and the name `label_space`.
    """
    for key, folder in FOLDERS.items():
        path = out_dir / folder / name
        if key not in sample:
            continue
        value = sample.get(key).detach().cpu()
        if key == "seg_map":
            save_palette_png(path, value.numpy(), sample.label_space, overwrite=True)
        else:
            save_picture(path, rgb(value) if key in _COLOR_KEYS else gray(value))


def rgb(image: Tensor) -> np.ndarray:
    """`(3, H, W)` in [-1, 1] as uint8 `(H, W, 3)`."""
    return as_bytes(image.cpu()).permute(1, 2, 0).contiguous().numpy()


def gray(mask: Tensor) -> np.ndarray:
    """`(1, H, W)` in [0, 1] as uint8 `(H, W)`."""
    return as_bytes(mask.cpu()[0] * 2 - 1).numpy()


def panel(inputs: Mapping[str, Tensor], sample: BaseDataElement) -> np.ndarray:
    """Nine pictures of a pair, RGB uint8: what the model is given, what it makes of the garment, and what comes out.

    The first two rows are those of CP-VTON's figures: head, body shape, pose; in-shop garment, warped garment, target.
    The third: predicted segmentation, try-on (of a GMM the warped garment laid over the person), the person.

    Args:
        inputs: tensors of one item: `agnostic` `(C, H, W)`, `cloth`, `image`, `parse_cloth`, optionally `target`.
        sample: the prediction with the item's metainfo.
    """
    person, worn = rgb(inputs["image"]), rgb(inputs["parse_cloth"])
    blank = np.full_like(person, _BLANK)
    known = [*agnostic_parts(inputs["agnostic"]), ("worn garment", worn), ("", blank)]
    if "target" in inputs:  # the person in the new garment, where the data set has it
        target = ("target: truth of the try-on", rgb(inputs["target"]))
    else:
        target = ("target: worn garment", worn) if sample.paired else ("target: none (unpaired)", blank)
    segmentation, space = ("no auxiliary segmentation", blank), None
    if "seg_map" in sample:
        space = sample.label_space
        segmentation = ("predicted segmentation", colored(sample.seg_map, space))
    if "try_on" in sample:
        result = ("try-on", rgb(sample.try_on))
    else:
        warped, mask = sample.warped_cloth.cpu(), sample.warped_mask.cpu()
        result = ("warped garment on person", rgb(mask * warped + (1 - mask) * inputs["image"].cpu()))
    cells = (
        known[:3],
        (("in-shop garment", rgb(inputs["cloth"])), ("warped garment", rgb(sample.warped_cloth)), target),
        (segmentation, result, ("person", person)),
    )
    relation = "their own garment" if sample.paired else "another's garment"
    return enlarged_grid(cells, f"{sample.person} with {sample.garment}, {relation}", space)


def enlarged_grid(
    cells: Sequence[Sequence[tuple[str, np.ndarray]]], footer: str, label_space: str | None = None
) -> np.ndarray:
    """`grid` of pictures that are enlarged by a whole number where they are small; the legend is the label space's."""
    scale = -(-_LEAST_HEIGHT // cells[0][0][1].shape[0])  # pixels are repeated: what is seen is what was computed
    enlarged = [[(caption, picture.repeat(scale, 0).repeat(scale, 1)) for caption, picture in row] for row in cells]
    space = get_space(label_space) if label_space else None
    return grid(enlarged, footer, list(zip(space.classes, space.palette, strict=True)) if space else [])


def agnostic_parts(channels: Tensor) -> list[tuple[str, np.ndarray]]:
    """The parts of CP-VTON's or VITON-HD's representation `(C, H, W)`, of any other its channels above 0."""
    if len(channels) == 3 + NUM_JOINTS:
        return [("agnostic image", rgb(channels[:3])), ("pose", draw_pose(channels[3:]))]
    if len(channels) != NUM_CHANNELS:
        return [(f"person, {len(channels)} channels", draw_pose(channels))]
    body, head, pose = channels.split([1, 3, len(channels) - 4])
    return [("head", rgb(head)), ("body shape", rgb(body.expand(3, -1, -1))), ("pose", draw_pose(pose))]


def colored(label_map: Tensor, label_space: str) -> np.ndarray:
    """A label map `(H, W)` in its space's colors, RGB uint8 `(H, W, 3)`; pixels without a label are white."""
    table = np.full((IGNORE_INDEX + 1, 3), 255, np.uint8)
    palette = get_space(label_space).palette
    table[: len(palette)] = palette
    return table[label_map.cpu().numpy()]


def draw_pose(pose: Tensor) -> np.ndarray:
    """Pose maps `(J, H, W)`, 1 at the joint's square and -1 elsewhere, as RGB uint8 `(H, W, 3)`, a hue a joint."""
    picture = np.zeros((*pose.shape[1:], 3), np.uint8)
    for index, joint in enumerate(pose.cpu().numpy() > 0):
        picture[joint] = joint_color(index, len(pose))
    return picture


def joint_color(index: int, number: int = NUM_JOINTS) -> Color:
    """The RGB color of one of so many joints."""
    return tuple(round(255 * value) for value in colorsys.hsv_to_rgb(index / number, 0.7, 1))
