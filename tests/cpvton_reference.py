"""CP-VTON's networks written down again, plainly, from what is published: a flat list of layers, a textbook spline.

It shares nothing with the package: weights come from a state dict by their published names.
"""

import numpy as np
import torch
from torch.nn import functional as F

GMM_CONVS = (0, 3, 6, 9, 12, 15)  # in `extraction?.model`; each is followed by ReLU and, but for the last, batch norm
DOWN = ["model.model.0"] + [f"model.model.1{'.model.3' * depth}.model.1" for depth in range(5)]
UP = ["model.model.4"] + [f"model.model.1{'.model.3' * depth}.model.{6 if depth < 4 else 4}" for depth in range(5)]


def batch_norm_keys(prefix):
    return [f"{prefix}.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]


def gmm_shapes(base=64):
    """Every tensor of the published GMM state dict with its shape, base=64 for the real one."""
    shapes = {}
    widths = [base, 2 * base, 4 * base, 8 * base, 8 * base, 8 * base]
    for name, channels in (("extractionA.model", 22), ("extractionB.model", 3)):
        add_stack(shapes, name, channels, widths, kernels=(4, 4, 4, 4, 3, 3), norm_after=2, last_norm=False)
    add_stack(shapes, "regression.conv", 192, [8 * base, 4 * base, 2 * base, base], kernels=(4, 4, 3, 3), norm_after=1)
    shapes |= {"regression.linear.weight": (50, base * 12), "regression.linear.bias": (50,)}
    return shapes


def add_stack(shapes, name, channels, widths, kernels, norm_after, last_norm=True):
    for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
        shapes[f"{name}.{3 * number}.weight"] = (width, channels, kernel, kernel)
        shapes[f"{name}.{3 * number}.bias"] = (width,)
        if number < len(widths) - 1 or last_norm:
            *vectors, count = batch_norm_keys(f"{name}.{3 * number + norm_after}")
            shapes |= dict.fromkeys(vectors, (width,)) | {count: ()}
        channels = width


def tom_shapes(base=64):
    """Every tensor of the published TOM state dict with its shape."""
    down = [25, base, 2 * base, 4 * base, 8 * base, 8 * base, 8 * base]
    up_in = [2 * base, 4 * base, 8 * base, 16 * base, 16 * base, 8 * base]
    up_out = [4, base, 2 * base, 4 * base, 8 * base, 8 * base]
    shapes = {}
    for level in range(6):
        shapes[f"{DOWN[level]}.weight"] = (down[level + 1], down[level], 4, 4)
        shapes[f"{DOWN[level]}.bias"] = (down[level + 1],)
        shapes[f"{UP[level]}.weight"] = (up_out[level], up_in[level], 3, 3)
        shapes[f"{UP[level]}.bias"] = (up_out[level],)
    return shapes


def norm(state, prefix, x):
    weight, bias, mean, var = (state[key].view(-1, 1, 1) for key in batch_norm_keys(prefix)[:4])
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def conv(state, prefix, x, stride):
    return F.conv2d(x, state[f"{prefix}.weight"], state[f"{prefix}.bias"], stride, padding=1)


def extract(state, name, x):
    for number in range(6):
        x = conv(state, f"{name}.model.{3 * number}", x, 2 if number < 4 else 1).clamp(min=0)
        if number < 5:
            x = norm(state, f"{name}.model.{3 * number + 2}", x)
    return x / (x.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()


def textbook_tps(theta, size, grid_size):
    """Solves the spline's linear system anew for each item and evaluates it at each pixel, in float64 NumPy."""
    axis = np.linspace(-1, 1, grid_size)
    points = np.array([(x, y) for x in axis for y in axis])
    height, width = size
    pixels = np.array([(x, y) for y in np.linspace(-1, 1, height) for x in np.linspace(-1, 1, width)])

    def kernel(a, b):
        squared = ((a[:, None] - b[None]) ** 2).sum(2)
        return np.where(squared == 0, 0, squared * np.log(np.where(squared == 0, 1, squared)))

    def ones(p):
        return np.concatenate([np.ones((len(p), 1)), p], 1)

    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n], system[:n, n:], system[n:, :n] = kernel(points, points), ones(points), ones(points).T
    grids = []
    for offsets in theta.detach().double().numpy():
        moved = points + np.stack([offsets[:n], offsets[n:]], 1)
        solution = np.linalg.solve(system, np.concatenate([moved, np.zeros((3, 2))]))
        grids.append(kernel(pixels, points) @ solution[:n] + ones(pixels) @ solution[n:])
    return torch.tensor(np.stack(grids)).float().unflatten(1, size)


def gmm(state, agnostic, cloth, cloth_mask, grid_size=5):
    a, b = extract(state, "extractionA", agnostic), extract(state, "extractionB", cloth)
    _, _, height, width = a.shape
    x = torch.empty(len(a), height * width, height, width)
    for h in range(height):
        for w in range(width):
            x[:, w * height + h] = (a[:, :, h, w, None, None] * b).sum(1)
    for number, stride in enumerate((2, 2, 1, 1)):
        x = norm(state, f"regression.conv.{3 * number + 1}", conv(state, f"regression.conv.{3 * number}", x, stride))
        x = x.clamp(min=0)
    x = x.reshape(len(x), -1) @ state["regression.linear.weight"].T + state["regression.linear.bias"]
    theta = x.tanh()
    grid = textbook_tps(theta, agnostic.shape[2:], grid_size)
    return {
        "theta": theta,
        "grid": grid,
        "warped_cloth": F.grid_sample(cloth, grid, padding_mode="border", align_corners=False),
        "warped_mask": F.grid_sample(cloth_mask, grid, padding_mode="zeros", align_corners=False),
    }


def instance_norm(x):
    centerd = x - x.mean((2, 3), keepdim=True)
    return centerd / (centerd.pow(2).mean((2, 3), keepdim=True) + 1e-5).sqrt()


def tom(state, agnostic, warped_cloth):
    x = conv(state, DOWN[0], torch.cat([agnostic, warped_cloth], 1), 2)
    skips = [x]
    for level in range(1, 6):
        x = conv(state, DOWN[level], torch.where(x > 0, x, 0.2 * x), 2)
        x = instance_norm(x) if level < 5 else x
        skips.append(x)
    x = skips.pop()
    for level in reversed(range(6)):
        x = F.interpolate(x.clamp(min=0), scale_factor=2, mode="bilinear", align_corners=False)
        x = instance_norm(conv(state, UP[level], x, 1))
        x = torch.cat([skips.pop(), x], 1) if skips else x
    rendered, mask = x[:, :3].tanh(), 1 / (1 + (-x[:, 3:]).exp())
    return {"rendered": rendered, "mask": mask, "try_on": mask * warped_cloth + (1 - mask) * rendered}
