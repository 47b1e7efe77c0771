"""The usual ways to compute what seg_vton computes, written plainly: peers in benchmarks and references in tests."""

from functools import partial

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms import Compose, Normalize, ToTensor

from seg_vton.labels import Unions, get_space, load_palette_png
from seg_vton.pictures.images import MASK_THRESHOLD
from seg_vton.pose.keypoints import read_people
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.models import GMM, TOM
from seg_vton.tryon.models.perceptual import LAYER_WEIGHTS
from seg_vton.tryon.models.tom import UNetBlock
from seg_vton.tryon.models.tps import control_points, pixel_centers, tps_inverse

KERNEL, SCALE, GRID_SIZE = 5, 2, 5  # CARAFE's in the paper and in mmdet's configs; the spline's control points a side
_GRAY, _COLOR = (Compose([ToTensor(), Normalize([0.5] * n, [0.5] * n)]) for n in (1, 3))


def carafe_by_multiplying(features: Tensor, masks: Tensor) -> Tensor:
    """CARAFE in the textbook's form: unfolded features times broadcast masks, summed over the kernel.

    `(N, C, H, W)` and `(N, 25, 2H, 2W)` to `(N, C, 2H, 2W)`.
    """
    n, c, h, w = features.shape
    windows = F.unfold(features, KERNEL, padding=KERNEL // 2).view(n, c, KERNEL**2, h, 1, w, 1)
    split = masks.unflatten(2, (-1, SCALE)).unflatten(4, (-1, SCALE))  # (N, 25, H, 2, W, 2)
    return (windows * split.unsqueeze(1)).sum(2).view(n, c, h * SCALE, w * SCALE)


def carafe_by_matmul(features: Tensor, masks: Tensor) -> Tensor:
    """The same as one batched matrix product over all source pixels, (4 x 25) by (25 x C) each."""
    n, c, h, w = features.shape
    windows = F.unfold(features, KERNEL, padding=KERNEL // 2).view(n, c, KERNEL**2, h * w)
    split = masks.unflatten(2, (-1, SCALE)).unflatten(4, (-1, SCALE))
    weights = split.permute(0, 2, 4, 3, 5, 1).reshape(n * h * w, SCALE**2, KERNEL**2)
    sums = torch.bmm(weights, windows.permute(0, 3, 2, 1).flatten(0, 1)).view(n, h, w, SCALE, SCALE, c)
    return sums.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h * SCALE, w * SCALE)


class PublishedTPS(nn.Module):
    """The spline from its definition: kernel, coefficients and sum anew for every batch, in float32."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("pixels", pixel_centers(size).float())
        self.register_buffer("points", control_points(GRID_SIZE).float())
        self.register_buffer("inverse", tps_inverse(GRID_SIZE).float())

    def forward(self, theta: Tensor) -> Tensor:
        """Offsets `(B, 50)` to a grid `(B, H, W, 2)`."""
        coefficients = self.inverse @ (self.points + theta.unflatten(1, (2, -1)).transpose(1, 2))  # (B, 28, 2)
        squared = (self.pixels[:, None] - self.points).square().sum(2)
        kernel = squared * torch.where(squared == 0, 1, squared).log()  # (HW, 25)
        bent, affine = coefficients.split([GRID_SIZE**2, 3], dim=1)
        axes = [(kernel * bent[:, None, :, axis]).sum(2) for axis in (0, 1)]
        flat = affine[:, None, 0] + affine[:, None, 1] * self.pixels[:, :1] + affine[:, None, 2] * self.pixels[:, 1:]
        return (torch.stack(axes, 2) + flat).unflatten(1, self.size)


class PublishedGMM(nn.Module):
    """Forward and loss of CP-VTON's training step on the layers of a `GMM`."""

    def __init__(self, model: GMM) -> None:
        super().__init__()
        self.model, self.tps = model, PublishedTPS(model.image_size).to(model.tps.points.device)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss; garment, mask and a drawn grid are warped at every step, as published."""
        person, garment = (
            features / (features.pow(2).sum(1) + 1e-6).pow(0.5).unsqueeze(1)
            for features in (self.model.extractionA(inputs["agnostic"]), self.model.extractionB(inputs["cloth"]))
        )
        b, c, h, w = person.shape
        person = person.transpose(2, 3).contiguous().view(b, c, h * w)
        product = torch.bmm(garment.view(b, c, h * w).transpose(1, 2), person)
        grid = self.tps(self.model.regression(product.view(b, h, w, h * w).permute(0, 3, 1, 2)))
        sample = partial(F.grid_sample, grid=grid, align_corners=self.model.align_corners)
        warped = sample(inputs["cloth"], padding_mode="border")
        sample(inputs["cloth_mask"], padding_mode="zeros")
        sample(inputs["image"], padding_mode="zeros")
        return F.l1_loss(warped, inputs["parse_cloth"])


class PublishedTOM(nn.Module):
    """Forward and loss of CP-VTON's training step on the layers of a `TOM`."""

    def __init__(self, model: TOM) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss."""
        cloth, image = inputs["warped_cloth"], inputs["image"]
        rendered, mask = self._level(self.model.model, torch.cat([inputs["agnostic"], cloth], 1)).split([3, 1], 1)
        rendered, mask = rendered.tanh(), mask.sigmoid()
        try_on = mask * cloth + (1 - mask) * rendered
        loss = F.l1_loss(try_on, image) + F.l1_loss(mask, inputs["warped_mask"])
        if self.model.loss_perceptual is not None:
            for index, layer in enumerate(self.model.loss_perceptual.vgg):
                try_on, image = layer(try_on), layer(image)
                if index in LAYER_WEIGHTS:
                    loss = loss + LAYER_WEIGHTS[index] * F.l1_loss(try_on, image.detach())
        return loss

    def _level(self, block: UNetBlock, x: Tensor) -> Tensor:
        *down, relu, _, conv, norm = block.model
        inner = down.pop() if isinstance(down[-1], UNetBlock) else None
        x = nn.Sequential(*down)(x)
        if inner is not None:
            x = torch.cat([x, self._level(inner, x)], 1)
        return norm(conv(F.interpolate(relu(x), scale_factor=2, mode="bilinear")))


def published_inputs(
    photo: Image.Image, parse: np.ndarray, joints: np.ndarray, unions: Unions, radius: int = 5
) -> dict[str, Tensor]:
    """What the models get of a person in the operations of CP-VTON's data loader (Wang et al., ECCV 2018).

    Args:
        photo: RGB picture.
        parse: uint8 ids `(H, W)` of the photo's size.
        joints: float64 `(18, 2)`, x and y in pixels.
        unions: of the label space of `parse`.
        radius: of the squares that mark joints, in pixels.

    Returns:
        `image`, `agnostic`, `parse_cloth` and `parse_cloth_mask`; see `seg_vton.tryon.datasets.TryOnDataset`.
    """
    image = _COLOR(photo)
    head, worn = (
        torch.from_numpy(np.sum([(parse == i).astype(np.float32) for i in ids], axis=0))
        for ids in (unions.head, unions.upper)
    )
    height, width = parse.shape
    silhouette = Image.fromarray(((parse > 0).astype(np.float32) * 255).astype(np.uint8))
    small = silhouette.resize((width // 16, height // 16), Image.Resampling.BILINEAR)
    parts = [_GRAY(small.resize((width, height), Image.Resampling.BILINEAR)), image * head - (1 - head)]
    for x, y in joints:
        picture = Image.new("L", photo.size)
        if x > 1 and y > 1:
            ImageDraw.Draw(picture).rectangle((x - radius, y - radius, x + radius, y + radius), "white", "white")
        parts.append(_GRAY(picture))
    return {
        "image": image,
        "agnostic": torch.cat(parts),
        "parse_cloth": image * worn + (1 - worn),
        "parse_cloth_mask": worn[None],
    }


class PublishedTryOn(Dataset):
    """Pairs in the operations of CP-VTON's data loader; the files of our data set must have the size of its items."""

    def __init__(self, dataset: TryOnDataset) -> None:
        self.files, self.space = dataset.files, dataset.label_spaces["parse"]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """What GMM gets of a pair, as `TryOnDataset`'s `inputs` but for `parse`, which CP-VTON has not."""
        files = self.files[index]
        with Image.open(files["cloth"]) as cloth, Image.open(files["cloth_mask"]) as mask:
            garment = _COLOR(cloth.convert("RGB"))
            lies = (np.array(mask.convert("L")) >= MASK_THRESHOLD).astype(np.float32)
        with Image.open(files["image"]) as photo:
            person = photo.convert("RGB")
        parse, people = load_palette_png(files["parse"], self.space), read_people(files["pose"], person.size)
        joints = people[0][:, :2] if people else None
        inputs = published_inputs(person, parse, joints, get_space(self.space).unions)
        return {**inputs, "cloth": garment, "cloth_mask": torch.from_numpy(lies)[None]}
