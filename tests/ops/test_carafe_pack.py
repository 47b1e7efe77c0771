"""The upsampler inside mmdet's models: names, shapes and initialization of published checkpoints."""

from pathlib import Path

import mmdet
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmcv.ops.carafe import CARAFEPack as MMCVCARAFEPack
from mmengine.config import Config
from mmengine.registry import MODELS

from seg_vton.ops import CARAFEPack

# isort: split
from mmdet.models.necks import FPN_CARAFE
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.utils import register_all_modules

UPSAMPLER = {
    "channel_compressor.weight": (64, 256, 1, 1),
    "channel_compressor.bias": (64,),
    "content_encoder.weight": (100, 64, 3, 3),
    "content_encoder.bias": (100,),
}
# The CARAFE parameters of mask_rcnn_r50_fpn_carafe_1x_coco in mmdet's model zoo.
GOLDEN = {
    f"{place}.{name}": shape
    for place in (*(f"neck.upsample_modules.{level}" for level in range(4)), "roi_head.mask_head.upsample")
    for name, shape in UPSAMPLER.items()
}


HEAD_UPSAMPLER = {
    "type": "carafe",
    "scale_factor": 2,
    "up_kernel": 5,
    "up_group": 1,
    "encoder_kernel": 3,
    "encoder_dilation": 1,
    "compressed_channels": 64,
}


@pytest.fixture(scope="module")
def model():
    register_all_modules(init_default_scope=True)
    path = Path(mmdet.__file__).parent / ".mim/configs/carafe/mask-rcnn_r50_fpn-carafe_1x_coco.py"
    config = Config.fromfile(path)
    config.model.backbone.init_cfg = None
    return MMDET_MODELS.build(config.model)


def test_is_registered_under_mmcvs_name():
    assert MODELS.get("carafe") is CARAFEPack
    assert issubclass(CARAFEPack, MMCVCARAFEPack)


def test_mmdets_config_builds_ours_with_the_published_parameters(model):
    found = {name: tuple(value.shape) for name, value in model.state_dict().items() if "upsample" in name}
    assert found == GOLDEN
    modules = [module for module in model.modules() if isinstance(module, MMCVCARAFEPack)]
    assert len(modules) == 5
    assert all(type(module) is CARAFEPack for module in modules)
    assert sum(p.numel() for m in modules for p in m.parameters()) == 5 * (64 * 257 + 100 * 577)


def test_a_published_checkpoint_loads_strictly(model):
    """With the values in place that a file of those names and shapes brings."""
    checkpoint = {name: torch.full(shape, 0.5) for name, shape in GOLDEN.items()}
    rest = {name: value for name, value in model.state_dict().items() if name not in checkpoint}
    model.load_state_dict({**checkpoint, **rest}, strict=True)
    assert (model.neck.upsample_modules[3].content_encoder.weight == 0.5).all()


def test_init_weights_reaches_the_upsamplers():
    """mmdet initializes upsamplers of mmcv's class by their own rule, so ours must be of that class."""
    torch.manual_seed(0)
    neck = FPN_CARAFE([8, 16], 64, 3)
    head = FCNMaskHead(num_convs=0, in_channels=64, num_classes=3, upsample_cfg=HEAD_UPSAMPLER)
    for part in (*neck.upsample_modules, head.upsample):
        torch.nn.init.constant_(part.content_encoder.weight, 7)
    neck.init_weights()
    head.init_weights()
    for part in (*neck.upsample_modules, head.upsample):
        assert part.content_encoder.weight.std().item() == pytest.approx(0.001, rel=0.05)


def test_forward_and_backward_through_neck_and_mask_head():
    neck = FPN_CARAFE([8, 16], 12, 3)
    outputs = neck([torch.randn(1, 8, 13, 10), torch.randn(1, 16, 7, 5)])
    assert [tuple(output.shape) for output in outputs] == [(1, 12, 13, 10), (1, 12, 7, 5), (1, 12, 4, 3)]
    head = FCNMaskHead(num_convs=1, in_channels=12, conv_out_channels=12, num_classes=3, upsample_cfg=HEAD_UPSAMPLER)
    masks = [head(torch.randn(count, 12, 14, 14)) for count in (5, 0)]
    assert [tuple(mask.shape) for mask in masks] == [(5, 3, 28, 28), (0, 3, 28, 28)]
    (sum(output.sum() for output in outputs) + sum(mask.sum() for mask in masks)).backward()
    assert all(p.grad is not None for m in (*neck.upsample_modules, head.upsample) for p in m.parameters())


@pytest.mark.parametrize("groups", [1, 3])
def test_equals_mmcvs_module(groups):
    upsampler = CARAFEPack(channels=6, scale_factor=2, up_kernel=3, up_group=groups, encoder_kernel=3).double()
    torch.nn.init.normal_(upsampler.content_encoder.weight)
    mmcvs = MMCVCARAFEPack(channels=6, scale_factor=2, up_kernel=3, up_group=groups, encoder_kernel=3).double()
    mmcvs.load_state_dict(upsampler.state_dict())
    features = torch.randn(2, 6, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(upsampler(features), mmcvs(features))


def test_weights_of_every_pixel_sum_to_one():
    """So a constant map stays constant away from the border (the kernel normalizer of the paper)."""
    upsampler = CARAFEPack(channels=4, scale_factor=2)
    torch.nn.init.normal_(upsampler.content_encoder.weight)
    output = upsampler(torch.full((1, 4, 9, 9), 3.0))
    torch.testing.assert_close(output[:, :, 4:-4, 4:-4], torch.full((1, 4, 10, 10), 3.0))
    assert (output[:, :, 0] < 3).all()


@pytest.mark.filterwarnings("ignore:Constant folding", "ignore:You are using the legacy TorchScript-based ONNX")
def test_export_to_onnx(tmp_path):
    upsampler = CARAFEPack(channels=6, scale_factor=2, up_group=2)
    torch.nn.init.normal_(upsampler.content_encoder.weight)
    path = str(tmp_path / "upsampler.onnx")
    options = {"input_names": ["features"], "dynamic_axes": {"features": {0: "n", 2: "h", 3: "w"}}}
    torch.onnx.export(upsampler, (torch.randn(1, 6, 5, 4),), path, dynamo=False, **options)
    assert {node.domain for node in onnx.load(path).graph.node} <= {"", "ai.onnx"}, "only standard operators"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    features = torch.randn(2, 6, 7, 5)
    found = session.run(None, {"features": features.numpy()})[0]
    np.testing.assert_allclose(found, upsampler(features).detach(), atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_autocast_and_memory_format(memory_format):
    upsampler = CARAFEPack(channels=8, scale_factor=2).to(memory_format=memory_format)
    features = torch.randn(2, 8, 6, 5).to(memory_format=memory_format)
    expected = upsampler(features)
    assert expected.is_contiguous(memory_format=memory_format)
    with torch.autocast("cpu", torch.bfloat16):
        output = upsampler(features.bfloat16())
        output.sum().backward()
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0.05, atol=0.05)
