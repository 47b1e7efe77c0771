import json
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement
from skimage import metrics as skimage_metrics

import seg_vton  # noqa: F401  registers
from seg_vton.errors import UserError
from seg_vton.registry import METRICS
from seg_vton.tryon.metrics import TryOnMetrics, tryon_metrics
from seg_vton.tryon.metrics.networks import frechet_distance, kernel_distance

SIZE = (176, 176)
BASE = dict(dataset="paper-doll", split="test")


def bytes_image(generator, size):
    return torch.randint(0, 256, (3, *size), generator=generator).float() / 127.5 - 1


def batch(count=3, size=SIZE, seed=0, paired=True, head=True, target=None):
    """Items and predictions as a loader and a TOM hand them over; predictions are noisy copies of the truth."""
    generator = torch.Generator().manual_seed(seed)
    height = size[0]
    image = torch.stack([bytes_image(generator, size) for _ in range(count)])
    parse = torch.randint(0, 6, (count, *size), generator=generator)
    parse[:, :2] = 255
    garment = torch.zeros(count, 1, *size)
    garment[:, :, : height // 2] = 1
    inputs = dict(image=image, parse=parse, parse_cloth=image.clone(), parse_cloth_mask=garment)
    if target is not None:
        inputs |= target
    truth = inputs.get("target", image)
    predictions, samples = [], []
    for index in range(count):
        meta = dict(person=f"p.{index}", garment=f"g{index}", paired=paired, label_space="tryon8")
        samples.append(BaseDataElement(metainfo=meta))
        prediction = BaseDataElement(metainfo=meta)
        noise = torch.randn(3, *size, generator=generator) * 0.1 * (index + 1)
        prediction.try_on = (truth[index] + noise).clamp(-1, 1)
        prediction.warped_cloth = (image[index] * 0.5).clone()
        prediction.warped_mask = torch.zeros(1, *size)
        prediction.warped_mask[:, : height // 4] = 0.9
        if head:
            wrong = torch.rand(size, generator=generator) < 0.3
            prediction.seg_map = torch.where(wrong, torch.tensor(7), parse[index].clamp(max=5))
        predictions.append(prediction)
    return dict(inputs=inputs, data_samples=samples), predictions


def evaluate(metric, *batches):
    """Runs a metric as mmengine does; returns its scalars and its report."""
    evaluator = Evaluator(metric)
    for data_batch, predictions in batches:
        evaluator.process(predictions, data_batch)
    return evaluator.evaluate(sum(len(predictions) for _, predictions in batches)), metric.report


def as_file(image):
    """RGB uint8 (H, W, 3) as a PNG would hold it."""
    return ((image.double() + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def test_it_is_registered_and_reports_what_engine_testing_reads():
    metric = METRICS.build(dict(type="TryOnMetrics", **BASE))
    assert (metric.dataset, metric.split) == ("paper-doll", "test")
    scalars, report = evaluate(metric, batch())
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert {key: report[key] for key in ("task", "stage", "dataset", "split", "images", "image_size", "pairs")} == {
        "task": "tryon",
        "stage": "tom",
        "dataset": "paper-doll",
        "split": "test",
        "images": 3,
        "image_size": list(SIZE),
        "pairs": "paired",
    }
    assert set(report["metrics"]) == {"SSIM", "MS-SSIM", "PSNR", "mIoU", "warped-mask IoU", "warped-garment L1"}
    assert scalars["tryon/ms_ssim"] == report["metrics"]["MS-SSIM"]
    assert set(report["convention"]) == {"images", *report["metrics"]}


def test_numbers_are_means_over_images_of_8_bit_pictures_whatever_the_batches():
    one, two = batch(3, seed=1), batch(2, seed=2)
    _, report = evaluate(TryOnMetrics(**BASE), one, two)
    pairs = [
        (as_file(prediction.try_on), as_file(data["inputs"]["image"][index]))
        for data, predictions in (one, two)
        for index, prediction in enumerate(predictions)
    ]
    psnr = np.mean([skimage_metrics.peak_signal_noise_ratio(target, ours) for ours, target in pairs])
    assert report["metrics"]["PSNR"] == pytest.approx(psnr, abs=1e-4)
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1)
    ssim = np.mean([skimage_metrics.structural_similarity(ours, target, **options) for ours, target in pairs])
    assert report["metrics"]["SSIM"] == pytest.approx(ssim, abs=0.003)  # scikit-image leaves the border out
    assert report["images"] == 5


def test_segmentation_and_warp():
    data, predictions = batch(2)
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    predicted = torch.stack([prediction.seg_map for prediction in predictions])
    valid = data["inputs"]["parse"] != 255
    expected = {}
    for label in range(6):
        true, ours = ((m == label) & valid for m in (data["inputs"]["parse"], predicted))
        expected[label] = ((true & ours).sum() / (true | ours).sum()).item()
    classes = report["per_class"]
    assert list(classes)[3:5] == ["skin", "upper"]
    assert [classes[name]["IoU"] for name in list(classes)[:6]] == pytest.approx(list(expected.values()))
    assert classes["accessories"] == {"pixels": 0, "IoU": None}  # predicted, but nowhere in the truth
    assert report["metrics"]["mIoU"] == pytest.approx(np.mean(list(expected.values())))
    assert sum(entry["pixels"] for entry in classes.values()) == valid.sum()
    assert report["metrics"]["warped-mask IoU"] == pytest.approx(0.5)
    difference = (data["inputs"]["parse_cloth"] * 0.5).abs().mean().item()
    assert report["metrics"]["warped-garment L1"] == pytest.approx(difference, rel=1e-5)


def test_without_a_head_there_is_no_miou_and_the_report_says_why():
    _, report = evaluate(TryOnMetrics(**BASE), batch(head=False))
    assert "mIoU" not in report["metrics"]
    assert report["per_class"] == {}
    assert report["not_reported"]["mIoU"] == "the model has no auxiliary head"


def test_without_warped_masks_their_iou_is_left_out_with_the_reason():
    data, predictions = batch()
    for prediction in predictions:
        del prediction.warped_mask
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert "warped-mask IoU" not in report["metrics"]
    assert report["not_reported"]["warped-mask IoU"] == "the garments were warped beforehand and have no masks"


def test_ms_ssim_is_left_out_of_small_images_with_the_reason():
    scalars, report = evaluate(TryOnMetrics(**BASE), batch(size=(128, 96)))
    assert "tryon/ms_ssim" not in scalars
    assert report["not_reported"]["MS-SSIM"].startswith("images of 128 x 96 are too small")
    assert {"SSIM", "PSNR"} <= set(report["metrics"])


def test_the_gmm_has_segmentation_and_warp_alone():
    data, predictions = batch()
    for prediction in predictions:
        del prediction.try_on
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert report["stage"] == "gmm"
    assert set(report["metrics"]) == {"mIoU", "warped-mask IoU", "warped-garment L1"}
    assert report["not_reported"] == {}
    assert "8 bits" not in report["convention"]["images"]


def test_unpaired_without_truth_reports_nothing_without_inception():
    scalars, report = evaluate(TryOnMetrics(**BASE), batch(paired=False))
    assert scalars == {}
    assert report["metrics"] == {}
    assert report["pairs"] == "unpaired"
    assert report["not_reported"]["SSIM"] == "unpaired garments have no truth"
    assert "inception_weights" in report["not_reported"]["FID"]


def test_unpaired_with_a_truth_is_measured_against_it_and_says_so():
    generator = torch.Generator().manual_seed(5)
    target = torch.stack([bytes_image(generator, SIZE) for _ in range(3)])
    parse = torch.full((3, *SIZE), 4)
    parse[:, SIZE[0] // 2 :] = 2
    data, predictions = batch(paired=False, target=dict(target=target, target_parse=parse))
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert report["pairs"] == "unpaired, against the data set's truth"
    assert "against the data set's truth" in report["convention"]["images"]
    expected = [
        skimage_metrics.peak_signal_noise_ratio(as_file(truth), as_file(prediction.try_on))
        for truth, prediction in zip(target, predictions, strict=True)
    ]
    assert report["metrics"]["PSNR"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert report["metrics"]["warped-mask IoU"] == pytest.approx(0.5)
    assert "warped-garment L1" not in report["metrics"]
    for prediction in predictions:
        del prediction.seg_map
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert report["not_reported"]["mIoU"] == "the model has no auxiliary head"


def test_a_perfect_image_makes_no_infinite_number():
    data, predictions = batch()
    predictions[1].try_on = data["inputs"]["image"][1].clone()
    scalars, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert "tryon/psnr" not in scalars
    assert report["not_reported"]["PSNR"] == "it is infinite: 1 images equal their target"


@pytest.fixture
def log():
    """The messages that mmengine's logger gets."""
    messages = []

    class Keep(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    logger, handler = MMLogger.get_current_instance(), Keep()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.mark.parametrize("path", [None, "gone.pth"])
def test_measures_whose_weights_are_missing_are_left_out_and_the_table_names_the_file(log, tmp_path, path):
    weights = path and str(tmp_path / path)
    scalars, report = evaluate(TryOnMetrics(**BASE, inception_weights=weights, alexnet_weights=weights), batch())
    assert not {"tryon/fid", "tryon/kid", "tryon/lpips"} & set(scalars)
    assert "weights-inception-2015-12-05-6726825d.pth" in report["not_reported"]["FID"]
    assert "alexnet-owt-7be5be79.pth" in report["not_reported"]["LPIPS"]
    assert "alexnet-owt-7be5be79.pth" in " ".join(log)


class MeanColor:
    """Stands in for Inception: an image's mean color."""

    def __init__(self, weights):
        pass

    def conventions(self, predicted, target):
        """Of FID and KID."""
        return {"FID": f"mean color of {predicted}", "KID": f"mean color of {target}"}

    def __call__(self, images):
        """Color (B, 3) of uint8 images."""
        assert images.dtype == torch.uint8
        return images.double().mean((2, 3))


@pytest.fixture
def color_fid(monkeypatch, tmp_path):
    monkeypatch.setattr(tryon_metrics.networks, "InceptionFeatures", MeanColor)
    (tmp_path / "weights.pth").touch()
    return str(tmp_path / "weights.pth")


@pytest.mark.parametrize("paired", [True, False])
def test_fid_compares_predictions_with_the_photographs(color_fid, paired):
    data, predictions = batch(4, paired=paired)
    _, report = evaluate(TryOnMetrics(**BASE, inception_weights=color_fid), (data, predictions))
    ours = np.stack([as_file(prediction.try_on).mean((0, 1)) for prediction in predictions])
    theirs = np.stack([as_file(image).mean((0, 1)) for image in data["inputs"]["image"]])
    assert report["metrics"]["FID"] == pytest.approx(frechet_distance(ours, theirs), rel=1e-9)
    assert report["metrics"]["KID"] == pytest.approx(kernel_distance(ours, theirs), rel=1e-9)
    assert report["convention"]["FID"].startswith("mean color of 4; predictions against the photographs")
    assert ("SSIM" in report["metrics"]) == paired


def test_fid_of_one_image_is_none(color_fid):
    _, report = evaluate(TryOnMetrics(**BASE, inception_weights=color_fid), batch(1))
    assert report["not_reported"]["FID"] == report["not_reported"]["KID"] == "it needs two images or more"


def test_the_log_has_every_number_with_its_convention(log):
    _, report = evaluate(TryOnMetrics(**BASE), batch())
    table = log[-1]
    for name, value in report["metrics"].items():
        assert name in table
        assert f"{value:.4f}" in table
    for word in ("torchmetrics", "reflect", "11 x 11", "paired", "3 images", "skin", "tryon8"):
        assert word in table


@pytest.mark.parametrize("key", ["try_on", "warped_cloth"])
def test_pictures_that_are_not_finite_are_refused(key):
    data, predictions = batch()
    predictions[1].get(key)[0, 3, 5] = torch.nan
    with pytest.raises(UserError, match=rf"{key} of p.1 with g1 holds NaN"):
        evaluate(TryOnMetrics(**BASE), (data, predictions))


def test_mixed_sets_are_refused():
    with pytest.raises(UserError, match=r"mix paired with unpaired.*paired=True"):
        evaluate(TryOnMetrics(**BASE), batch(2), batch(2, paired=False))


def test_every_images_numbers_are_kept_with_its_name_and_their_means_are_the_metrics():
    _, report = evaluate(TryOnMetrics(**BASE), batch(), batch(count=2, seed=1))
    found = report["per_image"]
    assert found.pop("names") == ["p.0_g0", "p.1_g1", "p.2_g2", "p.0_g0", "p.1_g1"]
    assert set(found) == {"SSIM", "MS-SSIM", "PSNR", "warped-mask IoU", "warped-garment L1"}
    for name, values in found.items():
        assert len(values) == 5
        assert len(set(values)) > 1 or name == "warped-mask IoU"
        assert np.mean(values) == pytest.approx(report["metrics"][name], abs=1e-6)


def test_an_image_without_a_number_has_none_and_an_infinite_mean_no_numbers():
    data, predictions = batch()
    predictions[1].try_on = data["inputs"]["image"][1].clone()  # its PSNR is infinite
    data["inputs"]["parse_cloth_mask"][2] = 0
    predictions[2].warped_mask *= 0
    _, report = evaluate(TryOnMetrics(**BASE), (data, predictions))
    assert "PSNR" not in report["per_image"]
    assert report["per_image"]["warped-mask IoU"] == [0.5, 0.5, None]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_mask_iou():
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1
    soft = torch.zeros(1, 4, 4)
    soft[0, 1:3] = 0.5
    soft[0, 3] = 0.49
    assert tryon_metrics.mask_iou(soft, mask) == pytest.approx(4 / 12)
    assert tryon_metrics.mask_iou(mask, mask) == 1
    assert tryon_metrics.mask_iou(torch.zeros(1, 4, 4), mask) == 0
    assert tryon_metrics.mask_iou(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)) is None


def test_the_report_keeps_the_record_of_a_segmenters_maps():
    metric, records = TryOnMetrics("dolls", "test"), {"predicted_parse": {"checkpoint_sha256": "aa"}}
    assert "records" not in evaluate(metric, batch())[1]
    metric.dataset_meta = {"records": records}
    assert evaluate(metric, batch())[1]["records"] == records
