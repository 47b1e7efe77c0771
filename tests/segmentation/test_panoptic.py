"""Mask R-CNN with a semantic head: tiny networks of random weights, and the masks and maps against slow references."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.segmentation.painting import InstanceVisualizer
from seg_vton.segmentation.panoptic import MASKS

SIZES = ((96, 64), (80, 90))  # height, width


@pytest.fixture(scope="module")
def build(tiny_panoptic):
    """Makes the tiny model with its checkpoint's weights; further arguments go into `test_cfg.rcnn`."""
    read, weights = load_config(tiny_panoptic[0]).model, torch.load(tiny_panoptic[1], weights_only=True)["state_dict"]

    def made(head=None, instance_masks="roi_head", **rcnn):
        init_default_scope("mmdet")
        config = deepcopy(read)
        config.test_cfg.instance_masks = instance_masks
        config.test_cfg.rcnn.update(rcnn)
        config.semantic_head.update(head or {})
        model = MODELS.build(config)
        model.load_state_dict(weights, strict=not head)
        return model.eval()

    return made


def batch(instances=1):
    """Two images of different sizes, each with a pattern in the semantic target and `instances` boxes."""
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for height, width in SIZES:
        inputs.append(torch.randint(0, 256, (3, height, width), generator=generator).to(torch.uint8))
        target = torch.zeros(1, height, width, dtype=torch.uint8)
        masks = np.zeros((instances, height, width), np.uint8)
        masks[:, 10:50, 10:40], target[:, 10:50, 10:40] = 1, 3 if instances else 0
        truth = InstanceData(
            bboxes=torch.tensor([[10.0, 10, 40, 50]] * instances).reshape(-1, 4),
            labels=torch.full((instances,), 2),
            masks=BitmapMasks(masks, height, width),
        )
        sample = DetDataSample(gt_instances=truth, gt_sem_seg=PixelData(sem_seg=target))
        sample.set_metainfo(
            {
                "img_shape": (height, width),
                "ori_shape": (2 * height, 2 * width),
                "scale_factor": (0.5, 0.5),
                "img_id": 1,
            }
        )
        samples.append(sample)
    return {"inputs": inputs, "data_samples": samples}


@pytest.mark.parametrize("upsampler", ["bilinear", "nearest", "carafe"])
def test_the_head_labels_at_stride_4(build, upsampler):
    model = build(head={"upsample_cfg": {"type": upsampler}})
    features = model.extract_feat(torch.rand(2, 3, 96, 64))
    assert model.semantic_head(features)["seg_preds"].shape == (2, 16, 24, 16)


@pytest.mark.parametrize("instances", [0, 2])
def test_losses_reach_every_part(build, instances):
    model = build().train()
    data = model.data_preprocessor(batch(instances), training=True)
    assert [tuple(sample.gt_sem_seg.sem_seg.shape) for sample in data["data_samples"]] == [(1, 96, 96)] * 2
    assert (data["data_samples"][0].gt_sem_seg.sem_seg[..., 64:] == 255).all()
    losses = model(**data, mode="loss")
    assert {"loss_rpn_cls", "loss_cls", "loss_mask", "loss_seg"} <= set(losses)
    model.parse_losses(losses)[0].backward()
    parts = (model.semantic_head.conv_logits, model.neck, model.backbone.layer4)
    assert all(any(p.grad is not None and p.grad.any() for p in part.parameters()) for part in parts)


def test_the_target_of_a_cell_is_its_middle_and_padding_has_none(build):
    head = build().semantic_head
    logits = torch.randn(1, 16, 4, 4, requires_grad=True)
    head.forward = lambda x: {"seg_preds": logits}
    target = torch.full((1, 16, 16), 255, dtype=torch.uint8)
    target[:, 2:10:4, 2::4] = torch.arange(8, dtype=torch.uint8).reshape(1, 2, 4)
    sample = DetDataSample(gt_sem_seg=PixelData(sem_seg=target), metainfo={"batch_input_shape": (16, 16)})
    loss = head.loss(None, [sample])["loss_seg"]
    expected = -logits.log_softmax(1)[0].flatten(1)[torch.arange(8), torch.arange(8)].mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_training_without_targets_says_what_is_missing(build):
    with pytest.raises(UserError, match="SemanticFromMasks"):
        build().semantic_head.loss(None, [DetDataSample()])


def test_a_target_of_another_size_is_not_stretched_over_the_photo(build):
    model = build().train()
    model.data_preprocessor.pad_seg = False
    with pytest.raises(UserError, match="pad_seg=True"):
        model(**model.data_preprocessor(batch(), training=True), mode="loss")


def test_a_pyramid_of_fewer_levels_than_the_head_has_branches_is_an_error(build):
    head = build().semantic_head
    with pytest.raises(ValueError, match="shorter"):
        head([torch.zeros(1, 16, 32 // 2**level, 32 // 2**level) for level in range(3)])


def test_predictions_are_in_the_photos_frame_and_the_map_is_the_logits(build):
    model = build()
    plain = model.test_step(batch())
    model.keep_logits = True
    for sample, again, (height, width) in zip(plain, model.test_step(batch()), SIZES, strict=True):
        shape = (2 * height, 2 * width)
        assert sample.pred_sem_seg.sem_seg.shape == (1, *shape)
        assert len(sample.pred_instances) > 3
        assert sample.pred_instances.masks.shape[1:] == shape
        assert sample.pred_instances.masks.dtype is torch.bool
        assert len(sample.pred_sem_seg.sem_seg.unique()) > 3
        assert "seg_logits" not in sample
        assert torch.equal(again.seg_logits.seg_logits.argmax(0), sample.pred_sem_seg.sem_seg[0].long())
        best = again.seg_logits.seg_logits.argsort(0, descending=True)[:3]
        assert torch.equal(best, sample.pred_sem_seg.ranked.long())
    assert len(model(**model.data_preprocessor(batch()), mode="tensor")) > 2


def test_nothing_found_still_has_a_map(build):
    for masks in MASKS:
        sample, _ = build(instance_masks=masks, score_thr=1.0).test_step(batch())
        assert sample.pred_instances.masks.shape == (0, 192, 128)
        assert sample.pred_instances.masks.dtype is torch.bool
        assert sample.pred_sem_seg.sem_seg.shape == (1, 192, 128)


def test_masks_come_from_the_chosen_source(build):
    """Each choice against a reference that works pixel by pixel on whole photos."""
    model = build(mask_thr_binary=-1, max_per_img=6)
    model.keep_logits = True
    probable = model.test_step(batch())
    by_class = [MASKS[label % 3] for label in range(15)]
    for choice in (*MASKS, by_class):
        for sample, base in zip(build(instance_masks=choice, max_per_img=6).test_step(batch()), probable, strict=True):
            assert torch.equal(sample.pred_instances.scores, base.pred_instances.scores)
            logits = base.seg_logits.seg_logits
            for i, label in enumerate(base.pred_instances.labels.tolist()):
                kind = choice if isinstance(choice, str) else choice[label]
                x1, y1, x2, y2 = base.pred_instances.bboxes[i].int().tolist()
                inside = torch.zeros(logits.shape[1:], dtype=torch.bool)
                inside[y1 : y2 + 1, x1 : x2 + 1] = True
                mask_head = base.pred_instances.masks[i].float() / 255
                mean = (mask_head + logits.softmax(0)[label + 1]) / 2
                expected = {
                    "roi_head": mask_head >= 0.5,
                    "semantic": inside & (logits.argmax(0) == label + 1),
                    "mean": inside & (mean >= 0.5),
                }[kind]
                found = sample.pred_instances.masks[i]
                near = (mask_head - 0.5).abs() < 0.01 if kind == "roi_head" else (mean - 0.5).abs() < 0.01
                assert not ((found != expected) & ~(near & (kind != "semantic"))).any()


def test_heads_of_different_classes_are_refused(build):
    with pytest.raises(UserError, match=r"bbox_head\.num_classes is 15 and semantic_head\.num_classes 14"):
        build(head={"num_classes": 14})


@pytest.mark.parametrize("choice", ["map", ["mean"] * 3, ["mask"] * 15])
def test_other_sources_are_refused(build, choice):
    with pytest.raises(UserError, match=r"instance_masks is .* give one of roi_head, semantic, mean"):
        build(instance_masks=choice)


def test_painting_shows_the_instances_and_leaves_the_map_out():
    """mmdet would look for a color of the background and of every class one further."""
    painter = InstanceVisualizer()
    painter.dataset_meta = {"classes": ("a", "b"), "palette": [(255, 0, 0), (0, 255, 0)]}
    mask = torch.zeros(1, 20, 30, dtype=torch.bool)
    mask[:, 5:15, 5:20] = True
    found = InstanceData(
        bboxes=torch.tensor([[5.0, 5, 20, 15]]), scores=torch.ones(1), labels=torch.tensor([1]), masks=mask
    )
    sample = DetDataSample(pred_instances=found, pred_sem_seg=PixelData(sem_seg=torch.full((1, 20, 30), 2)))
    painter.add_datasample("x", np.zeros((20, 30, 3), np.uint8), sample, draw_gt=False)
    painted = painter.get_image()
    assert (painted[..., 1] > 100).any()
    assert not painted[17:, 25:].any()


def test_augmented_tests_average_maps(build):
    config = {"nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 5}
    model = build()
    tta = MODELS.build({"type": "InstanceTTAModel", "tta_cfg": config, "module": model}).eval()
    data = batch()
    views = {name: [[one, one] for one in data[name]] for name in data}
    views["inputs"] = [[one, one.flip(2)] for one in data["inputs"]]
    for pair in views["data_samples"]:
        pair[1] = pair[1].clone()
        for flip, sample in enumerate(pair):
            sample.set_metainfo({"flip": bool(flip), "flip_direction": "horizontal" if flip else None})
    merged = tta.test_step({name: list(zip(*pairs, strict=True)) for name, pairs in views.items()})
    alone = model.test_step(batch())
    for both, one in zip(merged, alone, strict=True):
        assert both.pred_sem_seg.sem_seg.shape == one.pred_sem_seg.sem_seg.shape
        assert 0.3 < (both.pred_sem_seg.sem_seg == one.pred_sem_seg.sem_seg).float().mean() < 1
        assert "seg_logits" not in both
