from types import SimpleNamespace

import numpy as np
import torch
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from seg_vton.segmentation.painting import FolderVisualizationHook

COLORS = {"women/a/1_front.png": 20, "women/b/1_front.png": 90, "men/1_front.png": 170}


def sample(path):
    found = DetDataSample(metainfo={"img_path": str(path)})
    found.pred_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long), scores=torch.zeros(0)
    )
    return found


def test_photos_of_one_name_in_several_folders_are_all_painted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a work dir is relative to where the tool was started
    for name, color in COLORS.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 40), (color,) * 3).save(path)
    samples = [sample(tmp_path / "data" / name) for name in COLORS]
    VISUALIZERS.build({"type": "mmdet.DetLocalVisualizer", "name": "painting"})
    hook = FolderVisualizationHook(draw=True, test_out_dir="painted")
    infos = [{"img_path": found.img_path} for found in samples]
    data = type("Data", (), {"__len__": lambda self: len(infos), "get_data_info": lambda self, index: infos[index]})()
    runner = SimpleNamespace(work_dir="work", timestamp="now", test_dataloader=SimpleNamespace(dataset=data))
    hook.before_test(runner)
    for batch in (samples[:2], samples[2:]):
        hook.after_test_iter(runner, 0, {}, batch)
    pictures = {
        path.relative_to(tmp_path / "work/now/painted").as_posix(): path for path in tmp_path.rglob("work/**/*.png")
    }
    assert {name: np.asarray(Image.open(path))[0, 0, 0] for name, path in pictures.items()} == COLORS
