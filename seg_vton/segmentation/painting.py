"""Pictures that a test paints: instances alone, each picture at the place of its photo."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS, VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.runner import Runner


@VISUALIZERS.register_module()
class InstanceVisualizer(DetLocalVisualizer):
    """mmdet's, which leaves label maps out: they would hide the instances, and mmdet has no color for a background."""

    def _draw_sem_seg(self, image: np.ndarray, *_: Any) -> np.ndarray:
        return image


@HOOKS.register_module()
class FolderVisualizationHook(DetVisualizationHook):
    """mmdet's hook, with the painted pictures in the photos' folders.

    mmdet goes by the photo's name alone, and of photos of one name in several folders the last picture stays.
    Arguments are those of `DetVisualizationHook`.
    """

    def before_test(self, runner: Runner) -> None:
        """Finds the folder that all photos of the test are in."""
        data = runner.test_dataloader.dataset
        folders = {Path(data.get_data_info(index)["img_path"]).absolute().parent for index in range(len(data))}
        self._root = os.path.commonpath(folders)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any], outputs: Sequence[DetDataSample]
    ) -> None:
        """Paints a batch."""
        folder = self.test_out_dir
        for sample in outputs:
            if folder is not None:
                self.test_out_dir = str(Path(folder) / Path(sample.img_path).absolute().parent.relative_to(self._root))
            super().after_test_iter(runner, batch_idx, data_batch, [sample])  # which puts the run's folder before it
        self.test_out_dir = folder
