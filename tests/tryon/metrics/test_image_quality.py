import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import correlate1d
from skimage import metrics as skimage_metrics
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from seg_vton.tryon.metrics.image_quality import MS_SSIM_LEAST_SIDE, as_bytes, image_numbers, mean_interval

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik (2003), five scales
# Of `pictures()`: the first two by the NumPy formulas below, PSNR by scikit-image 0.26.
GOLDEN = {"ssim": 0.3280086, "ms_ssim": 0.8942887, "psnr": 19.0053599}


def pictures(height=256, width=192, noise=25.0):
    """A picture of gradients and stripes and a noisy, darker copy, RGB uint8 (H, W, 3); the same in every run."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    channels = [127 + 90 * np.sin(x / 9 + c) + 30 * np.cos(y / (5 + c)) for c in range(3)]
    clean = np.clip(np.stack(channels, -1), 0, 255)
    noisy = np.clip(0.9 * clean + rng.normal(0, noise, clean.shape), 0, 255)
    return clean.round().astype(np.uint8), noisy.round().astype(np.uint8)


def unit(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def smooth(image):
    """Gaussian filter as the formula has it: 11 taps, sigma 1.5, mirrored at the border without repeating its pixel."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    return correlate1d(correlate1d(image, taps, axis=0, mode="mirror"), taps, axis=1, mode="mirror")


def maps(a, b):
    """SSIM and contrast-structure maps of two gray images in [0, 1], by the formula of Wang et al. (2004)."""
    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b, cov = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2, smooth(a * b) - mean_a * mean_b
    contrast = (2 * cov + c2) / (var_a + var_b + c2)
    return (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * contrast, contrast


def channels(image):
    return np.moveaxis(image / 255, -1, 0)


def reference_ssim(a, b):
    return np.mean([maps(x, y)[0] for x, y in zip(channels(a), channels(b), strict=True)])


def halve(image):
    height, width = (side // 2 * 2 for side in image.shape)
    return image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def reference_ms_ssim(a, b):
    pairs, product = list(zip(channels(a), channels(b), strict=True)), 1.0
    for weight in WEIGHTS[:-1]:
        product *= np.mean([maps(x, y)[1][5:-5, 5:-5] for x, y in pairs]) ** weight
        pairs = [(halve(x), halve(y)) for x, y in pairs]
    return product * np.mean([maps(x, y)[0] for x, y in pairs]) ** WEIGHTS[-1]


def ssim(predicted, target, form="rgb"):
    return image_numbers(predicted, target, form)["SSIM"]


def ms_ssim(predicted, target):
    return image_numbers(predicted, target)["MS-SSIM"]


def test_golden_numbers():
    clean, noisy = pictures()
    assert ssim(noisy, clean) == pytest.approx(GOLDEN["ssim"], abs=2e-5)
    assert ms_ssim(noisy, clean) == pytest.approx(GOLDEN["ms_ssim"], abs=2e-5)
    assert image_numbers(noisy, clean)["PSNR"] == pytest.approx(GOLDEN["psnr"], abs=1e-5)


@pytest.mark.parametrize(("size", "noise"), [((256, 192), 25.0), ((177, 257), 60.0)])
def test_the_numbers_are_torchmetrics(size, noise):
    clean, noisy = pictures(*size, noise)
    clean[:60] = noisy[:60] = 255  # a white background
    found, options = image_numbers(noisy, clean), dict(data_range=1.0)
    theirs = {
        "SSIM": structural_similarity_index_measure(unit(noisy), unit(clean), **options),
        "MS-SSIM": multiscale_structural_similarity_index_measure(unit(noisy), unit(clean), **options),
        "PSNR": peak_signal_noise_ratio(unit(noisy), unit(clean), **options),
    }
    assert found == pytest.approx({name: value.item() for name, value in theirs.items()}, abs=2e-5)
    uniform = structural_similarity_index_measure(
        unit(noisy), unit(clean), gaussian_kernel=False, kernel_size=7, **options
    )
    assert ssim(noisy, clean, "uniform") == pytest.approx(uniform.item(), abs=5e-5)


@pytest.mark.parametrize(("size", "noise"), [((256, 192), 25.0), ((128, 96), 60.0), ((33, 41), 5.0)])
def test_ssim_is_the_papers_formula(size, noise):
    clean, noisy = pictures(*size, noise)
    assert ssim(noisy, clean) == pytest.approx(reference_ssim(noisy, clean), abs=2e-5)


def test_a_white_background_costs_no_precision():
    """Garments on white: where the variance is zero, E[x^2] - E[x]^2 is what float32 leaves of it."""
    white = [np.full_like(image, 255) for image in pictures()]
    for framed, image in zip(white, pictures(), strict=True):
        framed[60:200, 50:150] = image[60:200, 50:150]
    assert ssim(white[1], white[0]) == pytest.approx(reference_ssim(*white[::-1]), abs=2e-5)
    assert ms_ssim(white[1], white[0]) == pytest.approx(reference_ms_ssim(*white[::-1]), abs=2e-5)


def test_the_gray_form_is_scikit_images():
    clean, noisy = pictures()
    gray = [np.asarray(Image.fromarray(image).convert("L")) for image in (noisy, clean)]
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    theirs = skimage_metrics.structural_similarity(*gray, **options)
    assert ssim(noisy, clean, "gray") == pytest.approx(theirs, abs=1e-5)
    assert abs(ssim(noisy, clean) - theirs) > 0.01  # gray levels average the noise of three channels


@pytest.mark.parametrize(("size", "noise"), [((256, 192), 25.0), ((176, 256), 60.0)])
def test_ms_ssim_is_the_papers_product_over_scales(size, noise):
    clean, noisy = pictures(*size, noise)
    assert ms_ssim(noisy, clean) == pytest.approx(reference_ms_ssim(noisy, clean), abs=2e-5)


@pytest.mark.parametrize("size", [(MS_SSIM_LEAST_SIDE - 1, 256), (128, 96)])
def test_there_is_no_ms_ssim_below_its_least_side(size):
    assert "MS-SSIM" not in image_numbers(*pictures(*size))
    assert 0 < ms_ssim(*pictures(MS_SSIM_LEAST_SIDE, MS_SSIM_LEAST_SIDE)) < 1


def test_an_image_that_equals_its_target():
    clean, _ = pictures()
    assert image_numbers(clean, clean) == {"SSIM": 1, "MS-SSIM": 1, "PSNR": np.inf}


def test_images_are_rounded_as_their_files_are():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(levels.float() / 127.5 - 1), levels)
    assert torch.equal(as_bytes(torch.tensor([-1.3, -0.9999, 0.999, 1.7])), torch.tensor([0, 0, 255, 255]).byte())


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_and_the_same_in_every_run():
    values = np.random.default_rng(3).normal(0.7, 0.1, 400)
    low, high = mean_interval(values)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.001)
    assert mean_interval(values) == (low, high)
