"""Parameters and operations of a detector, against sums by hand and a counter of each layer's own."""

import json

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import nn

from seg_vton.analysis.model_cost import input_size, model_cost, write_costs
from seg_vton.analysis.results import COST_FILE
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.ops.carafe_pack import CARAFEPack

FPN = "mask-rcnn_r50_fpn_sgd-lr0.005_half-res_2e_ccp"


@pytest.fixture
def config(tiny_config_file):
    return load_config(tiny_config_file)


def by_hand(config, width, height):
    """Operations of a tiny model: products of each layer's output with its fan-in, layer by layer, RoIs after all."""
    register_all_modules(init_default_scope=True)
    model, total = MODELS.build(config.model).eval(), []

    def count(layer, inputs, output):
        if isinstance(layer, nn.ConvTranspose2d):
            total.append(2 * inputs[0].numel() * layer.weight[0].numel())
        elif isinstance(layer, nn.Conv2d):
            total.append(2 * output.numel() * layer.weight[0].numel())
        elif isinstance(layer, nn.Linear):
            total.append(2 * output.numel() * layer.in_features)
        elif isinstance(layer, CARAFEPack):
            total.append(2 * output.numel() * 25)

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        features = model.extract_feat(torch.rand(1, 3, height, width))
        model.rpn_head(features)
        head = model.roi_head
        head.bbox_head(torch.rand(30, 16, 7, 7))
        head.mask_head(torch.rand(30, 16, 14, 14))
    return sum(total), sum(parameter.numel() for parameter in model.parameters())


def test_the_count_is_the_sum_of_the_layers(config):
    flop, parameters = by_hand(config, 96, 128)
    cost = model_cost(config, (96, 128))
    assert (cost["parameters"], cost["image"]) == (parameters, [96, 128])
    assert cost["gigaflop"] == pytest.approx(flop / 1e9, rel=1e-12)
    neck = "CARAFE-FPN, neck's compressed_channels 8, mask head's compressed_channels 8"
    assert cost["row"] == {"neck": neck, "backbone": "ResNet-18", "image_scale": [96, 128]}


def test_a_deconvolution_is_counted(config):
    config.model.roi_head.mask_head.upsample_cfg = {"type": "deconv", "scale_factor": 2}
    assert model_cost(config, (96, 128))["gigaflop"] == pytest.approx(by_hand(config, 96, 128)[0] / 1e9)


def test_the_image_is_resized_and_padded_as_in_the_test(repo):
    half = load_config(repo / f"configs/segmentation/{FPN}.py")
    assert input_size(half, (550, 825)) == (384, 576)  # 367 x 550, in steps of 32
    half.test_dataloader.dataset.pipeline = [{"type": "LoadImageFromFile"}]
    with pytest.raises(UserError, match="no size is known"):
        input_size(half, (550, 825))


def test_the_file_and_what_is_refused(tiny_config_file, repo, tmp_path):
    out = tmp_path / COST_FILE
    content = write_costs([tiny_config_file], (96, 128), out)
    assert json.loads(out.read_text()) == content
    assert list(content["rows"]) == [tiny_config_file.stem]
    with pytest.raises(UserError, match="--overwrite"):
        write_costs([tiny_config_file], (96, 128), out)
    with pytest.raises(UserError, match="--photo is 96 0"):
        write_costs([tiny_config_file], (96, 0), tmp_path / "b.json")
    with pytest.raises(UserError, match="no config of a two-stage detector"):
        write_costs([repo / "configs/tryon/gmm_cp-vton_128x96_3k_paper-doll.py"], (96, 128), tmp_path / "b.json")


def test_the_recorded_parameters_are_those_of_the_configs(repo):
    """Of all rows but the operations, which take a forward pass of the full model."""
    recorded = read_json(repo / "docs/results/segmentation" / COST_FILE)["rows"]
    register_all_modules(init_default_scope=True)
    assert FPN in recorded
    for name, row in recorded.items():
        config = load_config(repo / f"configs/segmentation/{name}.py")
        config.model.backbone.init_cfg = None
        assert row["parameters"] == sum(p.numel() for p in MODELS.build(config.model).parameters())
        assert row["image"] == list(input_size(config, (550, 825)))


def test_a_semantic_head_is_counted(config, tiny_panoptic):
    """Convolutions of 3 x 3 at strides 4; 8; 16, 8; 32, 16, 8, and the classifier at stride 4."""
    plain = model_cost(config, (96, 128))["gigaflop"]
    cells = [96 * 128 // 4**level for level in (2, 3, 4, 5)]  # strides 4 to 32
    convolutions = cells[0] + cells[1] + (cells[2] + cells[1]) + (cells[3] + cells[2] + cells[1])
    expected = 2 * (16 * 16 * 9 * convolutions + 16 * 16 * cells[0])
    assert model_cost(load_config(tiny_panoptic[0]), (96, 128))["gigaflop"] - plain == pytest.approx(expected / 1e9)
