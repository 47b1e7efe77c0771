"""Mask R-CNN with a semantic branch on the same feature pyramid: instances and a parsing map of one network.

Source: Kirillov, Girshick, He and Dollar, *Panoptic Feature Pyramid Networks* (CVPR 2019), without the panoptic fusion.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from mmcv.cnn import ConvModule, build_upsample_layer
from mmdet.models.detectors import TwoStagePanopticSegmentor
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.seg_heads.base_semantic_head import BaseSemanticHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.errors import UserError
from seg_vton.parsing.label_map import RANKS

MASKS = ("roi_head", "semantic", "mean")


@MODELS.register_module()
class SemanticFPNHead(BaseSemanticHead):
    """Labels every pixel: each pyramid level is upsampled to stride 4 in steps of two, the sum is classified.

    mmdet's `PanopticFPNHead` upsamples bilinearly only, has one class for all things, and takes its target from the
    corner of each 4 x 4 pixels, which moves the map by one and a half.

    Args:
        num_classes: number of the data set's classes K; id 0 of the map is the background, class i is i + 1.
        in_channels: channels of the pyramid.
        channels: of the branch.
        upsample_cfg: how a level is made twice as large: type 'bilinear', 'nearest' or 'carafe' with its settings.
        norm_cfg: normalization in the branch.
        loss_seg: a loss of mmdet's that ignores 255; its `class_weight` has K + 1 numbers, the background's first, then
            the classes' in the data set's order.
        num_levels: how many levels are used, from stride 4 on.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        channels: int,
        upsample_cfg: dict[str, Any],
        norm_cfg: dict[str, Any],
        loss_seg: dict[str, Any],
        num_levels: int = 4,
    ) -> None:
        init_cfg = dict(type="Normal", std=0.01, override=dict(name="conv_logits"))
        super().__init__(num_classes + 1, loss_seg=loss_seg, init_cfg=init_cfg)
        upsample_cfg = dict(upsample_cfg, scale_factor=2)
        if upsample_cfg["type"] == "carafe":
            upsample_cfg["channels"] = channels
        self.branches = nn.ModuleList()
        for level in range(num_levels):
            layers: list[nn.Module] = []
            for step in range(max(level, 1)):
                layers.append(ConvModule(channels if step else in_channels, channels, 3, padding=1, norm_cfg=norm_cfg))
                layers += [build_upsample_layer(dict(upsample_cfg))] if level else []
            self.branches.append(nn.Sequential(*layers))
        self.conv_logits = nn.Conv2d(channels, self.num_classes, 1)

    def forward(self, x: Sequence[Tensor]) -> dict[str, Tensor]:
        """Logits `seg_preds` `(B, K + 1, H/4, W/4)`, the background's first.

        `x` is the pyramid from stride 4 on, each level `(B, in_channels, h, w)` half as large as the one before.
        """
        levels = zip(self.branches, x[: len(self.branches)], strict=True)
        first, *others = (branch(features) for branch, features in levels)
        return {"seg_preds": self.conv_logits(sum(others, start=first))}

    def loss(self, x: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """`loss_seg` at stride 4, where the target is the pixel at the middle of each cell.

        The samples have `gt_sem_seg.sem_seg` `(1, H, W)`, ids as in the class's docstring, 255 ignored.
        """
        if any("gt_sem_seg" not in sample for sample in batch_data_samples):
            raise UserError(
                "a semantic head learns from a label map: put dict(type='SemanticFromMasks') before PackDetInputs in "
                "the training pipeline"
            )
        logits = self(x)["seg_preds"]
        if any(sample.gt_sem_seg.shape != tuple(sample.batch_input_shape) for sample in batch_data_samples):
            raise UserError(
                "the label maps are not padded as the photos are: the model's data_preprocessor needs pad_seg=True"
            )
        truth = torch.stack([sample.gt_sem_seg.sem_seg for sample in batch_data_samples])
        truth = F.interpolate(truth.float(), size=logits.shape[-2:], mode="nearest-exact")
        pixels = logits.float().permute(0, 2, 3, 1).flatten(0, 2)
        return {"loss_seg": self.loss_seg(pixels, truth.flatten().long())}


@MODELS.register_module()
class PanopticMaskRCNN(TwoStagePanopticSegmentor):
    """Mask R-CNN that also labels every pixel of a photo.

    A prediction has `pred_instances` as Mask R-CNN's, and `pred_sem_seg`, see `ranked_map`, at the photo's size.

    Args:
        semantic_head: config of the head, `SemanticFPNHead` say.
        test_cfg: as Mask R-CNN's, and `instance_masks`, one of `MASKS` for all classes or a list in their order:
            'roi_head' takes the mask head's masks; 'semantic' the pixels in the box that the map gives the box's class;
            'mean' those where the mean of both probabilities reaches `rcnn.mask_thr_binary`.
        kwargs: what `mmdet.models.MaskRCNN` takes.

    Attributes:
        keep_logits: whether samples also get `seg_logits.seg_logits`, float `(K + 1, H, W)`, which test-time
            augmentation needs; it takes much memory.

    Raises:
        UserError: `instance_masks` names something else, or not as many as there are classes, or the heads have not
            the same number of classes.
    """

    def __init__(self, *, semantic_head: dict[str, Any], test_cfg: dict[str, Any], **kwargs: Any) -> None:
        chosen, classes = test_cfg.get("instance_masks", "roi_head"), semantic_head["num_classes"]
        sources = [chosen] * classes if isinstance(chosen, str) else list(chosen)
        if len(sources) != classes or not set(sources) <= set(MASKS):
            raise UserError(
                f"test_cfg.instance_masks is {chosen}: give one of {', '.join(MASKS)}, or a list with one of them for "
                f"each of the {classes} classes"
            )
        test_cfg = deepcopy(test_cfg)
        threshold = test_cfg["rcnn"]["mask_thr_binary"]
        if "mean" in sources:
            test_cfg["rcnn"]["mask_thr_binary"] = -1  # mmdet then gives probabilities, in 255ths
        super().__init__(semantic_head=semantic_head, test_cfg=test_cfg, **kwargs)
        if others := {m.num_classes for m in self.modules() if isinstance(m, BBoxHead)} - {classes}:
            raise UserError(f"bbox_head.num_classes is {others.pop()} and semantic_head.num_classes {classes}")
        self.instance_masks, self.mask_threshold, self.keep_logits = sources, threshold, False

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Adds instances and label maps to the samples, see the class's docstring.

        `batch_inputs` are `(B, 3, H, W)`, normalized and padded; with `rescale` results are in the original images'
        frames.
        """
        features = self.extract_feat(batch_inputs)
        proposals = self.rpn_head.predict(features, batch_data_samples, rescale=False)
        found = self.roi_head.predict(features, proposals, batch_data_samples, rescale=rescale)
        metas = [sample.metainfo for sample in batch_data_samples]
        maps = self.semantic_head.predict(features, metas, rescale)
        for sample, instances, logits in zip(batch_data_samples, found, maps, strict=True):
            sample.pred_instances, sample.pred_sem_seg = instances, ranked_map(logits)
            if set(self.instance_masks) != {"roi_head"}:
                instances.masks = self._masks(instances, sample.pred_sem_seg.sem_seg[0], logits)
            if self.keep_logits:
                sample.seg_logits = PixelData(seg_logits=logits)
        return batch_data_samples

    def _masks(self, instances: InstanceData, label_map: Tensor, logits: Tensor) -> Tensor:
        """The masks bool `(N, H, W)` that `instance_masks` chooses; the instances have the mask head's."""
        found = instances.masks
        chances = logits.softmax(dim=0) if "mean" in self.instance_masks else None
        # Half a 255th for what mmdet has rounded down.
        masks = found if found.dtype is torch.bool else found >= self.mask_threshold * 255 - 0.5
        for mask, probability, label, box in zip(masks, found, instances.labels, instances.bboxes, strict=True):
            kind = self.instance_masks[label]
            if kind == "roi_head":
                continue
            x1, y1, x2, y2 = box.clamp(min=0).int().tolist()
            inside = slice(y1, y2 + 1), slice(x1, x2 + 1)
            chosen = label_map[inside] == label + 1
            if kind == "mean":
                mean = (probability[inside].float().add(0.5).div(255) + chances[label + 1][inside]) / 2
                chosen = mean >= self.mask_threshold
            mask.zero_()
            mask[inside] = chosen
        return masks


def ranked_map(scores: Tensor) -> PixelData:
    """The map `sem_seg` int16 `(1, H, W)` of scores `(K + 1, H, W)`: 0 the background, i + 1 the data set's class i.

    Beside it `ranked`, int16 `(R, H, W)`, has the best R <= `RANKS` labels of each pixel, the map's first.
    """
    ranked = scores.topk(min(RANKS, len(scores)), dim=0).indices.to(torch.int16)
    return PixelData(sem_seg=ranked[:1], ranked=ranked)
