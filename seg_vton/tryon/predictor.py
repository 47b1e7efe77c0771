"""The try-on as one stateful predictor: a person's photo and a garment's, the person in the garment."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor, nn

from seg_vton.engine.checkpoint import load_checkpoint_file, load_weights
from seg_vton.engine.configs import blamed_on_config, built_by
from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import blamed_on_folder, chosen_parts
from seg_vton.engine.results import config_hash
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.labels import DEEPFASHION15, conversion_table, convert, unions, working_space
from seg_vton.machine import usable_device
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.parsing.label_map import enlarged
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.images import resized
from seg_vton.pictures.photos import limited
from seg_vton.registry import build_model
from seg_vton.tryon.datasets.dataset import build_pipeline
from seg_vton.tryon.datasets.transforms import LoadParsing, TargetTransform, garment_ids
from seg_vton.tryon.inference.composition import Composition, compose, place
from seg_vton.tryon.inference.garment import Garment, prepare_garment
from seg_vton.tryon.inference.person import Person, prepare_person
from seg_vton.tryon.models import GMM, TOM

GARMENT_SIDE = 4096
"""Pixels of the longer side from which a garment's photo is made smaller: a bound on memory."""


@dataclass(frozen=True, eq=False)
class TryOnResult(Composition):
    """A person in a garment."""

    # what TOM got and what the models say at their size, batches of one: `agnostic`; `theta`, `grid`, `warped_cloth`,
    # `warped_mask`, `rendered`, `mask`, `try_on` (see `GMM.generate` and `TOM.generate`)
    outputs: dict[str, Tensor]
    warnings: tuple[str, ...]  # what the user should know, of person and garment


class TryOn:
    """Segmenter, GMM and TOM as a function from two photos to the person in the garment.

    >>> try_on = TryOn(ClothingParser(CONFIG, CHECKPOINT), gmm=(CONFIG, CHECKPOINT), tom=(CONFIG, CHECKPOINT))  # or
    >>> try_on = TryOn.load("models")
    >>> person = try_on.person(read_photo("me.jpg"), [estimate(photo)])
    >>> garment = try_on.garment(read_photo("shirt.jpg"))
    >>> result = try_on(person, garment)

    A person and a garment are prepared once and serve any number of try-ons. What the models get of them is made by the
    pipelines of the data sets that the two configs test on, so it is what they were trained on.

    Args:
        parser: the segmenter; None where the label maps of persons are given, and garments are cut out without one.
        gmm: config (path or object) and checkpoint of the warp.
        tom: config and checkpoint of the rendering; the warper that the config names is not used.
        device: a torch device; None takes the segmenter's.
        whole_window: compose all of the person's window from the models' images, as they are trained and tested. Else
            the photo stays but for the old garment and the new one: `place`.
        label_space: of the label maps that `person` is given.

    Attributes:
        image_size: (height, width) of the models' images.
        stamp: all that a result depends on besides the photos, pose and mask, as a dict that JSON can hold.

    Raises:
        UserError: a file is missing, broken or refused, a config is of another model or has no pipeline, a checkpoint
            does not fit, the two stages are of different sizes or not of upper garments, or the segmenter's classes
            cannot become `deepfashion15`.
    """

    def __init__(
        self,
        parser: ClothingParser | None,
        gmm: tuple[str | Path | Config, str | Path],
        tom: tuple[str | Path | Config, str | Path],
        device: str | torch.device | None = None,
        whole_window: bool = False,
        label_space: str = DEEPFASHION15.name,
    ) -> None:
        self.parser, self.label_space, self.whole_window = parser, label_space, whole_window
        if parser is not None:  # refuses a segmenter of other classes before any photo
            conversion_table(parser.space.name, DEEPFASHION15.name)
        working_space(label_space)
        self.device = usable_device(device if parser is None else device or parser.device)
        self._gmm, gmm_config, gmm_stamp = _load(GMM, *gmm)
        self._tom, tom_config, tom_stamp = _load(TOM, *tom)
        self._unproven = gmm_config.filename, tom_config.filename  # until the models have run once
        self.image_size: tuple[int, int] = self._gmm.image_size
        for config in (gmm_config, tom_config):
            _check_data(self.image_size, config)
        self._aspect = self.image_size[1] / self.image_size[0]
        (gmm_steps, self._gmm_pipeline), (tom_steps, self._tom_pipeline) = map(_pipeline, (gmm_config, tom_config))
        if gmm_steps == tom_steps:
            self._tom_pipeline = self._gmm_pipeline  # which runs once for both
        for stage in (self._gmm, self._tom):
            use_cpu_forms(stage.to(self.device))
        self.stamp: dict[str, Any] = {
            "segmenter": {"label_space": label_space} if parser is None else parser.stamp,
            "gmm": gmm_stamp,
            "tom": tom_stamp,
            "whole_window": whole_window,
        }

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str | torch.device | None = None,
        whole_window: bool = False,
        label_space: str | None = None,
        score_thr: float | None = None,
    ) -> "TryOn":
        """The three models of a folder, which tools/export.py writes; no code in the folder is run.

        Arguments and errors are the class's. With a `label_space` all label maps of persons are to be given, and no
        segmenter is loaded; `score_thr` is the segmenter's, None for the folder's.
        """
        parser = ClothingParser.load(folder, device, score_thr) if label_space is None else None
        gmm, tom = chosen_parts(folder, {"gmm": None, "tom": None}).values()
        return cls(parser, gmm, tom, device, whole_window, label_space or DEEPFASHION15.name)

    def person(
        self, photo: np.ndarray, people: Sequence[np.ndarray] = (), label_map: np.ndarray | None = None
    ) -> Person:
        """Finds and prepares a person.

        Args:
            photo: RGB uint8 `(H, W, 3)`, upright.
            people: joints `(18, 3)` of x, y in pixels and score in OpenPose's order, missing ones 0; of several people
                those on the body are taken. Without any the pose maps are empty.
            label_map: integer ids of `label_space` `(H, W)`, another parser's; None leaves it to the segmenter.

        Raises:
            UserError: there is no upper body, the pose is of another photo, or the label map is.
        """
        if label_map is None:
            return prepare_person(photo, _parse(photo, self.parser), people, self.image_size)
        if label_map.shape != photo.shape[:2]:
            raise UserError(f"the label map is {label_map.shape} and the photo {photo.shape[:2]} (height, width)")
        space = working_space(self.label_space)
        return prepare_person(photo, convert(label_map, self.label_space, space), people, self.image_size, space)

    def garment(self, photo: np.ndarray, mask: np.ndarray | None = None, alpha: np.ndarray | None = None) -> Garment:
        """Cuts out and frames a garment, worn or lying; of photos beyond `GARMENT_SIDE` pixels a smaller one.

        Args:
            photo: RGB uint8 `(H, W, 3)`, upright.
            mask: bool `(H, W)` of the garment; None leaves it to the segmenter and `cut_out`.
            alpha: uint8 `(H, W)` of a photo that was cut out already, or None.

        Raises:
            UserError: there is no garment, or the mask is empty or of another size.
        """
        return cut_garment(photo, self.parser, self._aspect, alpha, mask)

    @torch.no_grad()
    def __call__(self, person: Person, garment: Garment) -> TryOnResult:
        """Dresses a person in a garment, of `person` and `garment`: the try-on at the photo's resolution."""
        with blamed_on_folder(*self._unproven):
            gmm, tom = self.inputs(person, garment)
            warped = self._gmm.generate(gmm)
            outputs = {"agnostic": tom["agnostic"], **warped, **self._tom.generate({**tom, **warped})}
        self._unproven = ()
        placed = () if self.whole_window else (place(person.parse, outputs["rendered"], person.space), garment.mask)
        made = compose(person.photo, person.box, garment.picture, self._gmm, outputs, *placed)
        return TryOnResult(**vars(made), outputs=outputs, warnings=(*person.warnings, *garment.warnings))

    def inputs(self, person: Person, garment: Garment) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What GMM and TOM get of a pair: batches of one by the names of inputs, on the predictor's device."""
        gmm = self._run(self._gmm_pipeline, person, garment)
        return gmm, gmm if self._tom_pipeline is self._gmm_pipeline else self._run(self._tom_pipeline, person, garment)

    def _run(self, pipeline: Compose, person: Person, garment: Garment) -> dict[str, Tensor]:
        results = {
            **deepcopy(person.results),
            "image_size": self.image_size,
            "cloth": resized(garment.picture, self.image_size),
            "cloth_mask": _resized_mask(garment.mask, self.image_size),
            "inputs": {},
        }
        for step in pipeline.transforms:
            if isinstance(step, LoadParsing):  # whoever made the maps that the models were trained on
                results[step.key], results[f"{step.key}_space"] = person.results["parsing"].copy(), person.space
        return {key: value[None].to(self.device) for key, value in pipeline(results)["inputs"].items()}


def cut_garment(
    photo: np.ndarray,
    parser: ClothingParser | None,
    aspect: float | None,
    alpha: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> Garment:
    """Cuts out and frames the garment of a photo, RGB uint8 `(H, W, 3)`; see `prepare_garment` and `TryOn.garment`."""
    if mask is not None and mask.shape != photo.shape[:2]:
        raise UserError(
            f"the garment mask is {mask.shape[1]}x{mask.shape[0]} and the photo {photo.shape[1]}x{photo.shape[0]} "
            "(width x height): give a mask of the same size, made of this photo"
        )
    if aspect is not None:
        photo, alpha = (None if image is None else limited(image, GARMENT_SIDE) for image in (photo, alpha))
    size = photo.shape[:2]
    if mask is not None:
        return prepare_garment(photo, np.zeros(size, np.uint8), _resized_mask(mask, size), aspect)
    return prepare_garment(photo, enlarged(_parse(photo, parser), size), None, aspect, alpha)


def _parse(photo: np.ndarray, parser: ClothingParser | None) -> np.ndarray:
    """The photo's label map in deepfashion15, up to `PARSE_SIDE` pixels on a side; empty without a segmenter."""
    if parser is None:
        return np.zeros(photo.shape[:2], np.uint8)
    return parser(limited(photo)).label_map(DEEPFASHION15.name)


def _resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A bool mask at (height, width), half covered or more."""
    if mask.shape == size:
        return mask
    how = cv2.INTER_AREA if size[0] < mask.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=how) >= 0.5


def _load(
    kind: type[nn.Module], config: str | Path | Config, checkpoint: str | Path
) -> tuple[nn.Module, Config, dict[str, Any]]:
    """A trained stage without what only training needs, its config, and what it is; `kind` or a class derived of it."""
    config = config if isinstance(config, Config) else load_config(config)
    content = load_checkpoint_file(checkpoint, "cpu")
    with blamed_on_config(config), blamed_on_folder(config.filename):
        model = config.get("model") or {}
        if not any(isinstance(found, type) and issubclass(found, kind) for found in built_by(model.get("type"))):
            name = kind.__name__
            raise UserError(
                f"config {config.filename} is of {model.get('type')}: --{name.lower()} needs a config of {name}"
            )
        settings = model.to_dict()
        if kind is TOM:
            settings["warper"] = None
            settings["loss_perceptual"] = None  # it has a large network
        network = build_model(settings)
    load_weights(network, content, checkpoint)
    stamp = {
        "config": Path(config.filename or "").name,
        "model_sha256": config_hash(Config({"model": settings})),
        "checkpoint": Path(checkpoint).name,
        "checkpoint_sha256": sha256(checkpoint),
    }
    network.aux_head = None  # it served the training
    return network.eval(), config, stamp


def _data(config: Config) -> dict[str, Any]:
    """The data set that a config tests on; empty where it has none."""
    return (config.get("test_dataloader") or {}).get("dataset") or {}


def _check_data(size: tuple[int, int], config: Config) -> None:
    """Raises `UserError` unless a stage is of images of the GMM's size and of upper garments."""
    with blamed_on_folder(config.filename):
        data = _data(config)
        found, garment = tuple(data.get("image_size", (256, 192))), data.get("garment_classes")
        upper = garment is None or set(garment_ids(data.label_space, garment)) & set(unions(data.label_space).upper)
    if found != size:
        raise UserError(
            f"{config.filename} is for images of {found} (height, width) and the GMM for {size}: give the two stages "
            "of one row of configs/tryon"
        )
    if not upper:
        raise UserError(
            f"{config.filename} tries on {', '.join(garment)}, and own photos are dressed in upper garments: give the "
            "stages of a row that tries these on"
        )


def _pipeline(config: Config) -> tuple[list[dict[str, Any]], Compose]:
    """The steps that make a stage's inputs, as its config has them and built; all but those of targets."""
    steps = _data(config).get("pipeline")
    if not steps:
        raise UserError(f"{config.filename} has no test_dataloader.dataset.pipeline, which makes what the model gets")
    with blamed_on_folder(config.filename):
        built = zip(steps, build_pipeline(steps).transforms, strict=True)
        kept = [(step, transform) for step, transform in built if not isinstance(transform, TargetTransform)]
    return [step for step, _ in kept], Compose([transform for _, transform in kept])
