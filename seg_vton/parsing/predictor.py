"""The segmenter as one stateful predictor: a photo in, its instances and its label map out."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.registry import DefaultScope

from seg_vton.engine.checkpoint import load_checkpoint_file, load_weights, trained_classes
from seg_vton.engine.configs import blamed_on_config
from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import blamed_on_folder, read_part
from seg_vton.engine.results import config_hash
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.machine import usable_device
from seg_vton.parsing.instances import MAPS, SCORE_THR, Parsing, from_sample, space_of
from seg_vton.pictures.photos import limited


class ClothingParser:
    """A trained segmenter as a function from a photo to its instances.

    >>> parser = ClothingParser("configs/segmentation/NAME.py", "work_dirs/NAME/epoch_12.pth")  # or
    >>> parser = ClothingParser.load("models")
    >>> parsing = parser(read_photo("me.jpg"))
    >>> parsing.classes, parsing.masks.shape, parsing.label_map("tryon8")

    Args:
        config: a segmentation config, its path or the object; its test pipeline resizes the photos.
        checkpoint: weights of the config's model; read without running anything in the file.
        device: a torch device; None takes the GPU where there is one.
        score_thr: instances below this score are left out, in [0, 1]; below the config's own threshold (0.05) there are
            none.
        one_per_class: keep of each class the instance of the highest score, as DeepFashion's masks have it.
        classes: the model's class names in its order; None takes them from the checkpoint, or else from the config's
            data set, or else the 15.

    Attributes:
        classes: the model's class names, in its order.
        space: the label space of its label maps, see `space_of`.
        device: where the model runs.
        model: the network, an mmdet detector that is ready to predict.
        pipeline: the steps from a BGR array to its input, an mmcv `Compose`.
        stamp: all that a parsing depends on besides the photo, as a dict that JSON can hold: `config` and `checkpoint`
            (file names), `model_sha256` (of the resolved model and test pipeline), `checkpoint_sha256`, `score_thr`,
            `one_per_class`, and `map`, what label maps are made of: see `Parsing.best_map`.

    Raises:
        UserError: a file is missing or broken, the weights are not exactly the config's model's, the model has no masks
            or another number of classes, the threshold is out of range, or the device is not there.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        score_thr: float = SCORE_THR,
        one_per_class: bool = True,
        classes: Sequence[str] | None = None,
    ) -> None:
        if not 0 <= score_thr <= 1:
            raise UserError(f"the score threshold is {score_thr}: it must be from 0 to 1")
        self.score_thr, self.one_per_class = score_thr, one_per_class
        self.device = usable_device(device)
        config = deepcopy(config) if isinstance(config, Config) else load_config(config)
        content = load_checkpoint_file(checkpoint, map_location="cpu")
        self._unproven: str | None = config.filename  # until the model has run once
        with blamed_on_config(config), blamed_on_folder(self._unproven):
            model_sha256 = self._build(config, content, checkpoint, classes)
        load_weights(self.model, content, checkpoint)
        self.model.to(self.device).eval()
        self.stamp: dict[str, Any] = {
            "config": Path(config.filename or "").name,
            "model_sha256": model_sha256,
            "checkpoint": Path(checkpoint).name,
            "checkpoint_sha256": sha256(checkpoint),
            "score_thr": score_thr,
            "one_per_class": one_per_class,
            "map": MAPS[0] if "semantic_head" in config.model else MAPS[-1],
        }

    def _build(
        self, config: Config, content: dict[str, Any], checkpoint: str | Path, classes: Sequence[str] | None
    ) -> str:
        """Sets classes, model and pipeline; changes `config`. Returns the hash of the resolved model and pipeline."""
        metainfo = config.get("test_dataloader", {}).get("dataset", {}).get("metainfo") or {}
        self.classes = tuple(classes or trained_classes(content) or metainfo.get("classes") or CLOTHING_CLASSES)
        _check_classes(self.classes, config, checkpoint)
        self.space = space_of(self.classes)
        if config.model.backbone.get("init_cfg"):
            config.model.backbone.init_cfg = None  # the checkpoint has the backbone too
        head = config.model.get("roi_head", {}).get("mask_head")
        if isinstance(head, dict) and head.get("type") == "BatchedTargetsMaskHead":
            head.type = "FCNMaskHead"  # the same but in training; earlier results, which have this name, stay known
        model_sha256 = config_hash(Config({"model": config.model, "pipeline": get_test_pipeline_cfg(config)}))
        # A mask takes as many bytes as the photo has pixels, so those below the threshold are not made. Suppression is
        # greedy from the highest score: what is below changes nothing above. mmdet drops what equals its threshold.
        lower = float(np.nextafter(np.float32(self.score_thr), np.float32(-1)))
        config.model.test_cfg.rcnn.score_thr = max(config.model.test_cfg.rcnn.score_thr, lower)
        # The scope of another half may be on: it must not rule the names in a detector's config.
        with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
            self.model = MODELS.build(config.model)
            # For arrays: no file is read and no annotation is loaded.
            steps = [step for step in get_test_pipeline_cfg(config) if not step["type"].endswith("LoadAnnotations")]
            self.pipeline = Compose([{"type": "mmdet.LoadImageFromNDArray"}, *steps[1:]])
        return model_sha256

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str | torch.device | None = None,
        score_thr: float | None = None,
        one_per_class: bool = True,
        classes: Sequence[str] | None = None,
    ) -> "ClothingParser":
        """The segmenter of a model folder, which tools/export.py writes; no code in the folder is run.

        Arguments and errors are the class's; None takes the folder's threshold and classes.
        """
        part = read_part(folder, "segmenter")
        classes = classes or part.fact("classes")
        score_thr = part.fact("score_thr") if score_thr is None else score_thr
        return cls(part.config, part.weights, device, score_thr, one_per_class, classes)

    def __call__(self, image: np.ndarray) -> Parsing:
        """Finds the instances in an upright photo, RGB uint8 `(H, W, 3)`, by falling score; none is a result too."""
        return self.parse_batch([image])[0]

    @torch.no_grad()
    def parse_batch(self, images: Sequence[np.ndarray]) -> list[Parsing]:
        """Finds the instances in several photos, RGB uint8 `(H, W, 3)` of any sizes, in one pass.

        Photos of different sizes are padded to a common one, which may move the edge of a mask by a pixel against the
        photo alone. A photo with more than `PARSE_SIDE` pixels on a side is looked at in that size, which bounds the
        memory, and what is found is enlarged. An array of another shape or type is a `ValueError`.
        """
        for image in images:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"expected RGB uint8 (H, W, 3), found {image.dtype} {image.shape}")
        if not images:
            return []
        found = []
        with blamed_on_folder(self._unproven):
            # The config's test pipeline expects BGR.
            arrays = [np.ascontiguousarray(limited(image)[..., ::-1]) for image in images]
            packed = [self.pipeline({"img": array, "img_id": 0}) for array in arrays]
            batch = {key: [item[key] for item in packed] for key in ("inputs", "data_samples")}
            for sample in self.model.test_step(batch):
                labeled = sample.get("pred_sem_seg")
                found.append(from_sample(sample.pred_instances, self.classes, self.score_thr, self.space, labeled))
        self._unproven = None
        if self.one_per_class:
            found = [parsing.best_per_class() for parsing in found]
        return [parsing.resized(image.shape[:2]) for parsing, image in zip(found, images, strict=True)]


def _check_classes(classes: Sequence[str], config: Config, checkpoint: str | Path) -> None:
    """Raises `UserError` when the model has no masks, or the names do not match its heads."""
    if len({*classes, "background"}) != len(classes) + 1:
        raise UserError(f"checkpoint {checkpoint} has two classes of one name, or one called background: {classes}")
    head = config.get("model", {}).get("roi_head")
    if not head or "mask_head" not in head:
        raise UserError(f"config {config.filename} has no model with a mask head: give one under configs/segmentation")
    last = head.bbox_head[-1] if isinstance(head.bbox_head, list) else head.bbox_head  # a list in a cascade
    if last.num_classes != len(classes):
        raise UserError(
            f"checkpoint {checkpoint} knows {len(classes)} classes and the model of {config.filename} has "
            f"{last.num_classes}: use the config it was trained with"
        )
