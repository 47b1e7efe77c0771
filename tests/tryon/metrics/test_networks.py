from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
import torchvision
from torch_fidelity import feature_extractor_inceptionv3, metric_fid, metric_kid
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity, lpips
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from seg_vton.errors import UserError
from seg_vton.tryon.metrics.networks import (
    InceptionFeatures,
    PerceptualDistance,
    frechet_distance,
    kernel_distance,
    set_numbers,
)

GOLDEN_FID = 11.795161  # by scipy.linalg.sqrtm, see below


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"a download was tried: {args}")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.fixture(scope="module")
def alexnet_file(tmp_path_factory):
    """AlexNet with random weights of the size that trained ones have, as torchvision saves it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), path)
    return path


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 3, 96, 72), generator=generator, dtype=torch.uint8)


def test_frechet_distance_of_two_gaussians_is_the_formula():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (60, 6)) @ rng.normal(0, 1, (6, 6))
    b = rng.normal(0.5, 2, (50, 6))
    (mean_a, cov_a), (mean_b, cov_b) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, b) == pytest.approx(GOLDEN_FID, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_shifted_features_is_the_squared_shift():
    features = np.random.default_rng(1).normal(size=(40, 5))
    assert frechet_distance(features, features + 3.0) == pytest.approx(5 * 9.0)


class Given(torch.nn.Module):
    """Hands features on to torchmetrics, which takes them for pictures."""

    num_features = 8

    def forward(self, images):
        """Features (B, 8)."""
        return images.reshape(len(images), 8)


@pytest.mark.parametrize(("first", "second"), [(60, 60), (60, 45)])
def test_distances_are_torch_fidelitys_and_torchmetrics_of_the_same_features(first, second):
    rng = np.random.default_rng(4)
    features = [rng.normal(0.2 * i, 1 + i, (n, 8)).astype(np.float32) for i, n in enumerate((first, second))]
    found, both = set_numbers(*features), [torch.from_numpy(each) for each in features]
    fidelity = metric_fid.fid_statistics_to_metric(*map(metric_fid.fid_features_to_statistics, both), verbose=False)
    assert found["FID"] == pytest.approx(fidelity[metric_fid.KEY_METRIC_FID], abs=1e-6)
    size = min(first, second)
    fidelity = metric_kid.kid_features_to_metric(*both, kid_subset_size=size, kid_subsets=100, verbose=False)
    assert found["KID"] == pytest.approx(fidelity[metric_kid.KEY_METRIC_KID_MEAN], abs=1e-4)
    metrics = FrechetInceptionDistance(Given()), KernelInceptionDistance(Given(), subsets=400, subset_size=size)
    for metric in metrics:
        metric.update(both[1], real=True)
        metric.update(both[0], real=False)
    assert found["FID"] == pytest.approx(metrics[0].compute().item(), rel=1e-4)
    # torchmetrics draws other subsets, so the two differ unless a subset is the whole.
    assert found["KID"] == pytest.approx(metrics[1].compute()[0].item(), rel=1e-4 if first == second else 0.1)


def test_fid_of_fewer_images_than_features_is_torch_fidelitys():
    first, second = np.random.default_rng(6).normal([[[0.0]], [[0.5]]], 1, (2, 12, 40))
    statistics = [metric_fid.fid_features_to_statistics(torch.from_numpy(each)) for each in (first, second)]
    theirs = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[metric_fid.KEY_METRIC_FID]
    assert frechet_distance(first, second) == pytest.approx(theirs, rel=1e-4)


def test_kid_is_the_unbiased_estimate_of_the_cubic_kernel():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 1, (12, 4)), rng.normal(1, 1, (12, 4))
    aa, bb, ab = ((x @ y.T / 4 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    off = ~np.eye(12, dtype=bool)
    assert kernel_distance(a, b) == pytest.approx(aa[off].mean() + bb[off].mean() - 2 * ab.mean(), rel=1e-9)


def test_there_are_no_distances_of_one_image():
    assert set_numbers(np.ones((1, 4)), np.ones((5, 4))) == {}


def test_lpips_is_the_published_definition_on_the_given_alexnet(alexnet_file, images):
    """Zhang et al., equation 1: unit-normalized features of five layers, squared differences, weighted channels."""
    ours = PerceptualDistance(alexnet_file)(*images)
    alexnet = torchvision.models.alexnet(weights=None)
    alexnet.load_state_dict(torch.load(alexnet_file, weights_only=True))
    linear = _lpips_linear()
    shift, scale = (torch.tensor(v)[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    features = [(image / 127.5 - 1 - shift) / scale for image in images]
    expected, start = torch.zeros(3), 0
    for layer, end in enumerate((2, 5, 8, 10, 12)):
        features = [alexnet.features[start:end](feature).detach() for feature in features]
        unit = [feature / feature.norm(dim=1, keepdim=True).clamp(min=1e-8) for feature in features]
        weights = linear[f"lin{layer}.model.1.weight"]
        expected += ((unit[0] - unit[1]) ** 2 * weights).sum(1).mean((1, 2))
        start = end
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-7)


def _lpips_linear():
    """The weights of the five linear layers, LPIPS 0.1."""
    return torch.load(
        Path(lpips.__file__).with_name("lpips_models") / "alex.pth", map_location="cpu", weights_only=True
    )


def test_lpips_is_what_torchmetrics_gives_with_torchvisions_weights(alexnet_file, images, monkeypatch):
    def loaded(net, pretrained=False):
        model = torchvision.models.alexnet(weights=None)
        model.load_state_dict(torch.load(alexnet_file, weights_only=True))
        return model.features

    monkeypatch.setattr("torchmetrics.functional.image.lpips._get_tv_model_features", loaded)
    theirs = learned_perceptual_image_patch_similarity(
        *(images / 255), net_type="alex", normalize=True, reduction="none"
    )
    torch.testing.assert_close(PerceptualDistance(alexnet_file)(*images), theirs)


def test_lpips_of_equal_images_is_zero(alexnet_file, images):
    assert PerceptualDistance(alexnet_file)(images[0], images[0]).abs().max() == 0


class TinyInception(torch.nn.Module):
    """Stands in for the 24-million-parameter network where only reading its file matters."""

    def __init__(self, name, features_list, feature_extractor_weights_path):
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))

    def forward(self, images):
        """Features (B, 4) of uint8 images."""
        return (self.linear(images.float().mean((2, 3))),)


@pytest.fixture
def tiny_inception(monkeypatch):
    monkeypatch.setattr(feature_extractor_inceptionv3, "FeatureExtractorInceptionV3", TinyInception)


def test_inception_features_come_from_the_files_weights(tiny_inception, tmp_path):
    weights = {"linear.weight": torch.arange(12.0).reshape(4, 3), "linear.bias": torch.ones(4)}
    torch.save(weights, tmp_path / "inception.pth")
    images = torch.full((2, 3, 8, 8), 2, dtype=torch.uint8)
    features = InceptionFeatures(tmp_path / "inception.pth")(images)
    torch.testing.assert_close(features, (2 * weights["linear.weight"].sum(1) + 1).expand(2, 4))


def test_features_that_are_not_finite_are_refused(tiny_inception, tmp_path):
    weights = {"linear.weight": torch.ones(4, 3), "linear.bias": torch.full((4,), torch.nan)}
    torch.save(weights, tmp_path / "inception.pth")
    features = InceptionFeatures(tmp_path / "inception.pth")
    with pytest.raises(UserError, match=r"inception\.pth makes features with NaN"):
        features(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_an_inception_file_that_would_run_code_is_refused(tiny_inception, tmp_path):
    (tmp_path / "evil.pth").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(UserError, match=r"evil\.pth"):
        InceptionFeatures(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_the_real_inception_refuses_another_networks_file(alexnet_file):
    with pytest.raises(UserError, match=r"alexnet\.pth does not hold the weights of torch-fidelity's") as raised:
        InceptionFeatures(alexnet_file)
    assert len(str(raised.value)) < 500  # of the hundreds of tensors only the first are named


def test_lpips_refuses_another_networks_file(tmp_path):
    torch.save({"conv.weight": torch.ones(2)}, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"vgg\.pth does not hold the weights of torchvision's AlexNet"):
        PerceptualDistance(tmp_path / "vgg.pth")
