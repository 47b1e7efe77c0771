import os
import shutil
import struct
import zlib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the threads of several workers wait for one another
# Numbers are compared bit for bit, which takes the CPU; and tools are forked from a process that has asked torch for
# GPUs, which such a fork may not use. For the tests that need a GPU: DEVICE=cuda python -m pytest tests -k a_gpu
if os.environ.get("DEVICE") != "cuda":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import pytest
import random_pairs
import torch
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import set_random_seed
from PIL import Image, ImageDraw

from seg_vton.data.coco_files import CocoBuilder
from seg_vton.data.paper_doll import Plan, write_paper_dolls
from seg_vton.engine.launch import load_config
from seg_vton.labels import CLOTHING_CLASSES

# A loader that ends in a garbage collection waits so long for each of its workers, 5 seconds by default.
torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.5

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo():
    """Root of the repository."""
    return REPO


@pytest.fixture(scope="session")
def png_bomb():
    """Bytes of a PNG whose header announces 50,000 x 50,000 pixels, of which there are none."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture(autouse=True)
def seeded():
    """Every test draws the same numbers in every run, alone or after others."""
    set_random_seed(0)


@pytest.fixture(autouse=True)
def no_scope_left():
    """A Runner leaves its default scope behind, in which the next test would look up names."""
    yield
    DefaultScope._instance_dict.clear()


def draw_shapes(rng, size, categories):
    """A noisy image with one colored ellipse or rectangle a category, later ones on top; returns it and the masks."""
    width, height = size
    noise = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    image, masks = Image.fromarray(noise), []
    for category in categories:
        x, y = rng.integers(0, (width // 2, height // 2))
        w, h = rng.integers((width // 4, height // 4), (width // 2, height // 2))
        shape = Image.new("1", size)
        draw = ImageDraw.Draw(shape)
        (draw.ellipse if category % 2 else draw.rectangle)((x, y, x + w, y + h), fill=1)
        color = tuple(int(c) for c in np.random.default_rng(category).integers(60, 256, 3))
        image.paste(color, mask=shape)
        masks.append(np.asarray(shape))
    for under in range(len(masks)):
        for above in masks[under + 1 :]:
            masks[under] = masks[under] & ~above
    return image, masks


@pytest.fixture(scope="session")
def tiny_coco(tmp_path_factory):
    """Folder with a COCO set of 8 images: `annotations/instances.json` and `images/`.

    Six sizes of about 96 x 128; six of the 15 classes occur, 2 to 4 instances an image; the image `3.png` has none.
    """
    root = tmp_path_factory.mktemp("tiny_coco")
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    builder = CocoBuilder("tiny")
    for number in range(8):
        size = (96 + 4 * (number % 3), 128 - 8 * (number % 2))
        categories = [] if number == 3 else rng.choice([1, 4, 6, 8, 14, 15], 2 + number % 3, replace=False).tolist()
        image, masks = draw_shapes(rng, size, categories)
        image.save(root / "images" / f"{number}.png")
        image_id = builder.add_image(f"{number}.png", *size)
        for category, mask in zip(categories, masks, strict=True):
            builder.add_mask(image_id, category, mask)
    builder.write(root / "annotations" / "instances.json")
    return root


TINY_CONFIG = """
_base_ = [
    "{base}/models/mask-rcnn_r50_fpn.py",
    "{base}/datasets/ccp.py",
    "{base}/schedules/sgd_2e.py",
    "{base}/default_runtime.py",
]
carafe = dict(type="carafe", up_kernel=5, up_group=1, encoder_kernel=3, encoder_dilation=1, compressed_channels=8)
model = dict(
    backbone=dict(depth=18, base_channels=8, init_cfg=None),
    neck=dict(type="FPN_CARAFE", in_channels=[8, 16, 32, 64], out_channels=16, upsample_cfg=carafe),
    rpn_head=dict(in_channels=16, feat_channels=16, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16, finest_scale=14),
        bbox_head=dict(in_channels=16, fc_out_channels=32),
        mask_roi_extractor=dict(out_channels=16, finest_scale=14),
        mask_head=dict(num_convs=1, in_channels=16, conv_out_channels=16, upsample_cfg=dict(carafe, scale_factor=2)),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=32)),
        rpn_proposal=dict(nms_pre=50, max_per_img=30),
        rcnn=dict(sampler=dict(num=16)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=30), rcnn=dict(score_thr=0.001, max_per_img=20)),
)
image_scale = (96, 128)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
data_root = "{data}/"
paths = dict(data_root=data_root, ann_file="annotations/instances.json", data_prefix=dict(img="images/"))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **paths))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline, **paths))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/instances.json", dataset="tiny")
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=3)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=4),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=3, milestones=[2], gamma=0.1),
]
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


@pytest.fixture(scope="session")
def tiny_config_file(tiny_coco, tmp_path_factory):
    """A config of a tiny Mask R-CNN (ResNet-18 and CARAFE-FPN with few channels), 3 epochs of `tiny_coco`.

    All else is the repository's: losses, pipelines, schedule, hooks. Every iteration is logged unsmoothed.
    """
    path = tmp_path_factory.mktemp("configs") / "mask-rcnn_tiny.py"
    path.write_text(TINY_CONFIG.format(base=REPO / "configs" / "_base_", data=tiny_coco))
    return path


@pytest.fixture(scope="session")
def tiny_panoptic(tiny_config_file, tmp_path_factory):
    """A config of the tiny Mask R-CNN with a semantic head, and a checkpoint of random weights that find something."""
    folder = tmp_path_factory.mktemp("panoptic")
    (folder / "panoptic_tiny.py").write_text(TINY_PANOPTIC.format(base=REPO / "configs/_base_", tiny=tiny_config_file))
    return folder / "panoptic_tiny.py", random_weights(folder / "panoptic_tiny.py", folder / "0.pth", seed=5)


TINY_PANOPTIC = """
_base_ = ["{tiny}", "{base}/models/panoptic.py"]
small = dict(in_channels=16, channels=16, norm_cfg=dict(type="BN"))
model = dict(_base_.panoptic, semantic_head=dict(_base_.panoptic.semantic_head, **small))
train_pipeline = _base_.train_pipeline
train_pipeline.insert(-1, _base_.make_targets)
train_dataloader = dict(dataset=dict(return_classes=True, pipeline=train_pipeline))
"""


def random_weights(config_file, path, seed):
    """A detector's checkpoint of random weights, which find something everywhere."""
    init_default_scope("mmdet")
    torch.manual_seed(seed)
    model = MODELS.build(load_config(config_file).model)
    model.init_weights()
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight, std=0.2)
    if hasattr(model, "semantic_head"):
        weight = torch.randn_like(model.semantic_head.conv_logits.weight)
        model.semantic_head.conv_logits.weight.data = weight - weight.mean(1, keepdim=True)  # else one class wins
    torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": {"classes": CLOTHING_CLASSES}}}, path)
    DefaultScope._instance_dict.clear()
    return path


@pytest.fixture(scope="session")
def tiny_dolls(tmp_path_factory):
    """A paper-doll set in VITON's layout: 5 dolls to train on and 3 to test on, 48 x 64 pixels. Not to be changed."""
    folder = tmp_path_factory.mktemp("tiny_dolls") / "set"
    write_paper_dolls(folder, Plan(train=5, test=3, size=(48, 64), layout="viton"), workers=1)
    return folder


TINY_TRYON = """
_base_ = "{base}.py"
size = (64, 64)
dolls = dict(data_root="{data}/", image_size=size)
model = dict(base_channels=4, aux_head=dict(base_channels=4, max_channels=8), {model})
train_dataloader = dict(num_workers=2, dataset=dolls)
val_dataloader = dict(num_workers=0, dataset=dolls)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="tiny")
test_evaluator = val_evaluator
max_iters = 6
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=3, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
log_processor = dict(window_size=1)
"""


@pytest.fixture(scope="session")
def tiny_tryon(tiny_dolls, tmp_path_factory):
    """Config files by stage of tiny models with auxiliary decoders: 6 iterations of 4 of `tiny_dolls`, saved every 2.

    All else is the repository's for two cores. The TOM's warper is the GMM that `tools/train.py` leaves at
    `FOLDER/work/iter_6.pth`, FOLDER being that of the configs.
    """
    folder = tmp_path_factory.mktemp("tryon_configs")
    files = {stage: folder / f"{stage}_tiny.py" for stage in ("gmm", "tom")}
    warper = f'dict(config="{files["gmm"]}", checkpoint="{folder}/work/iter_6.pth")'
    models = {"gmm": "image_size=size", "tom": f"warper={warper}"}
    for stage, iterations in (("gmm", "3k"), ("tom", "2k")):
        base = REPO / "configs" / "tryon" / f"{stage}_aux-seg_128x96_{iterations}_paper-doll"
        files[stage].write_text(TINY_TRYON.format(base=base, data=tiny_dolls, model=models[stage]))
    return files


@pytest.fixture
def dolls(tiny_dolls, tmp_path):
    """A copy of `tiny_dolls` that a test may spoil."""
    return shutil.copytree(tiny_dolls, tmp_path / "dolls")


@pytest.fixture(scope="session")
def write_set():
    """The function that writes a small random data set of a layout; see `random_pairs`."""
    return random_pairs.write_set


@pytest.fixture(scope="session")
def tiny_weights(tiny_config_file, tmp_path_factory):
    """Two checkpoints of the tiny detector with random weights, which find something everywhere."""
    folder = tmp_path_factory.mktemp("weights")
    return tuple(random_weights(tiny_config_file, folder / f"{n}.pth", seed=3 + n) for n in range(2))
