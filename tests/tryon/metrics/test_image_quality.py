import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from skimage import metrics as skimage_metrics

from seg_vton.tryon.metrics.image_quality import (
    MS_SSIM_LEAST_SIDE,
    as_bytes,
    as_unit_range,
    ms_ssim,
    psnr,
    ssim,
)

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


def test_golden_numbers():
    clean, noisy = map(unit, pictures())
    assert ssim(noisy, clean).item() == pytest.approx(GOLDEN["ssim"], abs=2e-5)
    assert ms_ssim(noisy, clean).item() == pytest.approx(GOLDEN["ms_ssim"], abs=2e-5)
    assert psnr(noisy, clean).item() == pytest.approx(GOLDEN["psnr"], abs=1e-4)


@pytest.mark.parametrize(("size", "noise"), [((256, 192), 25.0), ((128, 96), 60.0), ((33, 41), 5.0)])
def test_ssim_is_the_papers_formula(size, noise):
    clean, noisy = pictures(*size, noise)
    assert ssim(unit(noisy), unit(clean)).item() == pytest.approx(reference_ssim(noisy, clean), abs=2e-5)


def test_a_white_background_costs_no_precision():
    """Garments on white: where the variance is zero, E[x^2] - E[x]^2 is what float32 leaves of it."""
    white = [np.full_like(image, 255) for image in pictures()]
    for framed, image in zip(white, pictures(), strict=True):
        framed[60:200, 50:150] = image[60:200, 50:150]
    assert ssim(unit(white[1]), unit(white[0])).item() == pytest.approx(reference_ssim(*white[::-1]), abs=2e-5)
    assert ms_ssim(unit(white[1]), unit(white[0])).item() == pytest.approx(reference_ms_ssim(*white[::-1]), abs=2e-5)


def test_ssim_is_scikit_images_inside_the_border():
    clean, noisy = pictures()
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1)
    theirs = skimage_metrics.structural_similarity(noisy, clean, **options)  # it crops the border of 5 pixels
    inside = np.mean([maps(x, y)[0][5:-5, 5:-5] for x, y in zip(channels(noisy), channels(clean), strict=True)])
    assert inside == pytest.approx(theirs, abs=1e-9)
    assert ssim(unit(noisy), unit(clean)).item() == pytest.approx(theirs, abs=0.003)


@pytest.mark.parametrize(("size", "noise"), [((256, 192), 25.0), ((176, 256), 60.0)])
def test_ms_ssim_is_the_papers_product_over_scales(size, noise):
    clean, noisy = pictures(*size, noise)
    assert ms_ssim(unit(noisy), unit(clean)).item() == pytest.approx(reference_ms_ssim(noisy, clean), abs=2e-5)


@pytest.mark.parametrize("size", [(MS_SSIM_LEAST_SIDE - 1, 256), (128, 96)])
def test_ms_ssim_is_refused_below_its_least_side(size):
    clean, noisy = pictures(*size)
    with pytest.raises(ValueError, match="must be larger"):
        ms_ssim(unit(noisy), unit(clean))
    least = pictures(MS_SSIM_LEAST_SIDE, MS_SSIM_LEAST_SIDE)
    assert 0 < ms_ssim(*map(unit, least)).item() < 1


def test_psnr_is_scikit_images_for_each_image_and_not_of_the_batch():
    clean, noisy = pictures()
    _, noisier = pictures(noise=60.0)
    theirs = [skimage_metrics.peak_signal_noise_ratio(clean, other) for other in (noisy, noisier)]
    ours = psnr(torch.cat([unit(noisy), unit(noisier)]), torch.cat([unit(clean)] * 2))
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


def test_an_image_in_a_batch_has_the_numbers_it_has_alone():
    clean, noisy = map(unit, pictures(180, 176))
    batch = torch.cat([noisy, clean]), torch.cat([clean, clean])
    for measure in (ssim, ms_ssim):
        assert measure(*batch)[0].item() == pytest.approx(measure(noisy, clean).item(), abs=1e-6)
        assert measure(*batch)[1].item() == pytest.approx(1)
    assert psnr(*batch)[1].item() == np.inf


def test_images_are_rounded_as_their_files_are():
    levels = torch.arange(256, dtype=torch.uint8)
    image = levels.float() / 127.5 - 1
    assert torch.equal(as_bytes(image), levels)
    assert torch.equal(as_unit_range(image), levels.float() / 255)
    assert torch.equal(as_bytes(torch.tensor([-1.3, -0.9999, 0.999, 1.7])), torch.tensor([0, 0, 255, 255]).byte())
