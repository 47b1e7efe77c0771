import json
import runpy
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image
from torch_fidelity import feature_extractor_inceptionv3
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics.functional.image.lpips import _NoTrainLpips

from seg_vton.errors import UserError
from seg_vton.tryon.metrics.image_quality import image_numbers
from seg_vton.tryon.metrics.networks import InceptionFeatures, frechet_distance, kernel_distance
from seg_vton.tryon.metrics.scoring import METRIC_NAMES, Protocol, protocol_lines, score

SIZE = (176, 180)
NOISE = {"little": 6, "more": 20, "much": 60}


def save(path, picture, **options):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path, **options)


def copies(rng, picture):
    """Noisy copies of a picture, by the name of the noise."""
    for name, sigma in NOISE.items():
        yield name, (picture + rng.normal(0, sigma, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """`truth` of four pictures, and three copies of it with ever more noise."""
    root, rng = tmp_path_factory.mktemp("scored"), np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for index in range(4):
        waves = [127 + 100 * np.sin(x / (9 + index) + c) * np.cos(y / 11) for c in range(3)]
        picture = np.stack(waves, -1).astype(np.uint8)
        save(root / "truth" / f"{index}_0.png", picture)
        for name, copy in copies(rng, picture):
            save(root / name / f"{index}_0_{index}_1.png", copy)
    return root


class Colors:
    """Stands in for Inception: means and spreads of an image's colors."""

    conventions = InceptionFeatures.conventions
    _features = "colors"

    def __call__(self, images):
        """Features (B, 6) of uint8 images."""
        images = images.float()
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


class Distance:
    """Stands in for LPIPS: the mean difference."""

    convention = "mean difference"

    def __call__(self, predicted, target):
        """Distance (B,) of uint8 images."""
        return (predicted.float() - target.float()).abs().mean((1, 2, 3))


def colors(folder):
    pictures = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    return Colors()(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)).numpy()


def test_copies_come_in_the_order_of_their_distortion_in_every_number(folders):
    report = score([folders / name for name in NOISE], folders / "truth", Protocol(inception=Colors()))
    assert json.loads(json.dumps(report, allow_nan=False)) is not None
    for name in ("SSIM", "MS-SSIM", "PSNR"):
        values = [method["metrics"][name] for method in report["methods"]]
        assert values == sorted(values, reverse=True)
    for name in ("FID", "KID"):
        values = [method["metrics"][name] for method in report["methods"]]
        assert values == sorted(values)
    for difference in report["differences"]:
        low, high = difference["intervals"]["SSIM"]
        assert low <= difference["metrics"]["SSIM"] <= high < 0
        assert difference["images"] == 4
        assert "FID" not in difference["intervals"]


def test_the_numbers_are_means_of_each_pictures_own(folders):
    protocol = Protocol(inception=Colors(), lpips=Distance())
    (method,) = score([folders / "more"], folders / "truth", protocol)["methods"]
    pairs = [
        (np.asarray(Image.open(path)), np.asarray(Image.open(folders / "truth" / f"{path.name[:3]}.png")))
        for path in sorted((folders / "more").iterdir())
    ]
    rows = [{**image_numbers(*pair), "LPIPS": np.abs(np.subtract(*pair, dtype=int)).mean()} for pair in pairs]
    for name, values in method["per_image"].items():
        if name != "names":
            assert values == pytest.approx([row[name] for row in rows], abs=1e-6)
            assert method["metrics"][name] == pytest.approx(np.mean(values), abs=1e-6)
            low, high = method["intervals"][name]
            assert min(values) <= low <= method["metrics"][name] <= high <= max(values)
    sets = colors(folders / "more"), colors(folders / "truth")
    assert method["metrics"]["FID"] == pytest.approx(frechet_distance(*sets), rel=1e-5)
    assert method["metrics"]["KID"] == pytest.approx(kernel_distance(*sets), rel=1e-5)
    assert list(method["metrics"]) == list(METRIC_NAMES)
    assert list(method["convention"]) == ["images", *METRIC_NAMES]


def test_unpaired_pictures_have_fid_and_kid_alone(folders, tmp_path):
    with pytest.raises(UserError, match="which need --inception weights-inception"):
        score([folders / "more"], folders / "truth", Protocol(unpaired=True))
    protocol = Protocol(unpaired=True, inception=Colors())
    (method,) = score([folders / "more"], folders / "truth", protocol)["methods"]
    assert list(method["metrics"]) == ["FID", "KID"]
    assert method["metrics"]["FID"] == pytest.approx(
        frechet_distance(colors(folders / "more"), colors(folders / "truth")), rel=1e-5
    )
    (tmp_path / "pairs.txt").write_text("0_0.png 0_1.png\n1_0.png 1_1.png\n")
    (method,) = score([folders / "more"], folders / "truth", protocol, tmp_path / "pairs.txt")["methods"]
    assert method["metrics"]["FID"] == pytest.approx(
        frechet_distance(colors(folders / "more")[:2], colors(folders / "truth")[:2]), rel=1e-5
    )
    (tmp_path / "pairs.txt").write_text("0_0.png 0_1.png\n")
    with pytest.raises(UserError, match="more or its photographs have a single picture"):
        score([folders / "more"], folders / "truth", protocol, tmp_path / "pairs.txt")
    one = Protocol(inception=Colors())
    (method,) = score([folders / "more"], folders / "truth", one, tmp_path / "pairs.txt")["methods"]
    assert method["not_reported"]["FID"] == "it needs two images or more"
    assert method["intervals"] == {}


def test_jpeg_is_noted_with_what_it_costs(folders, tmp_path):
    for path in (folders / "truth").iterdir():
        save(tmp_path / "jpeg" / f"{path.stem}.jpg", np.asarray(Image.open(path)), quality=40)
    report = score([tmp_path / "jpeg", folders / "more"], folders / "truth", Protocol())
    jpeg, png = report["methods"]
    assert "note" not in png
    assert png["not_reported"]["LPIPS"] == "it needs --alexnet alexnet-owt-7be5be79.pth"
    # These are the photographs saved as JPEG and nothing else, so the cost is their whole distance.
    said = f"have SSIM {jpeg['metrics']['SSIM']:.4f} and PSNR {jpeg['metrics']['PSNR']:.2f} (mean of 4)"
    assert jpeg["note"].startswith("4 of 4 pictures are JPEG: ")
    assert said in jpeg["note"]


def test_more_unpaired_pictures_than_photographs_may_be_jpeg_at_the_end(folders, tmp_path):
    for number, ending in enumerate(("png", "png", "jpg")):
        save(tmp_path / "mixed" / f"{number}.{ending}", np.asarray(Image.open(folders / "more/0_0_0_1.png")))
    for number in range(2):
        save(tmp_path / "two" / f"{number}.png", np.asarray(Image.open(folders / f"truth/{number}_0.png")))
    protocol = Protocol(unpaired=True, inception=Colors())
    (method,) = score([tmp_path / "mixed"], tmp_path / "two", protocol)["methods"]
    assert method["note"].startswith("1 of 3 pictures are JPEG: ")


def test_another_size_is_resized_by_the_named_rule(folders):
    report = score([folders / "more"], folders / "truth", Protocol(size=(88, 90), resize="lanczos"))
    (method,) = report["methods"]
    assert report["image_size"] == [88, 90]
    assert "resized by Pillow's lanczos filter" in method["convention"]["images"]
    assert method["not_reported"]["MS-SSIM"].startswith("images of 88 x 90 are too small")
    pictures = [
        np.asarray(Image.open(folders / name).resize((90, 88), Image.Resampling.LANCZOS))
        for name in ("more/0_0_0_1.png", "truth/0_0.png")
    ]
    assert method["per_image"]["SSIM"][0] == pytest.approx(image_numbers(*pictures)["SSIM"], abs=1e-6)


def test_pictures_too_small_for_lpips_are_refused(folders):
    with pytest.raises(UserError, match="LPIPS needs 31 pixels a side"):
        score([folders / "more"], folders / "truth", Protocol(lpips=Distance(), size=(30, 64)))
    for height in (30, 31):
        with nullcontext() if height == 31 else pytest.raises(RuntimeError):
            _NoTrainLpips(net="alex", pnet_rand=True)(*torch.rand(2, 1, 3, height, 64))


def test_pictures_that_equal_their_truth_have_no_psnr(folders):
    (method,) = score([folders / "truth"], folders / "truth", Protocol())["methods"]
    assert method["metrics"] == {"SSIM": 1, "MS-SSIM": 1}
    assert method["not_reported"]["PSNR"] == "it is infinite: 4 images equal their target"


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory):
    """A file of Inception with random weights of a fixed seed, for want of the trained ones."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(feature_extractor_inceptionv3.torch, "load", lambda *_, **__: None)
        network = FeatureExtractorInceptionV3("inception-v3", ["2048"], "none")
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def test_the_tool_prints_numbers_and_protocol_and_writes_both(folders, random_inception, tmp_path, monkeypatch, capsys):
    out = tmp_path / "score.json"
    (tmp_path / "pairs.txt").write_text("0_0.png 0_1.png\n1_0.png 1_1.png\n")
    arguments = ["--results", folders / "little", folders / "much", "--truth", folders / "truth", "--out", out]
    arguments += ["--pairs", tmp_path / "pairs.txt"]
    monkeypatch.setattr(sys, "argv", ["score.py", *map(str, arguments), "--inception", str(random_inception)])
    runpy.run_path("tools/score.py", run_name="__main__")
    printed, report = capsys.readouterr().out, json.loads(out.read_text())
    assert report["methods"][0]["metrics"]["FID"] < report["methods"][1]["metrics"]["FID"]
    for word in (
        f"{report['methods'][1]['metrics']['SSIM']:.4f}",
        report["split_sha256"][:12],
        "torch-fidelity",
        "11 x 11",
    ):
        assert word in printed
    assert all(line in printed for line in protocol_lines(report))
    assert list(report["methods"][0]["metrics"]) == [name for name in METRIC_NAMES if name != "LPIPS"]
    with pytest.raises(SystemExit, match=r"score\.json exists already"):
        runpy.run_path("tools/score.py", run_name="__main__")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--overwrite", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path("tools/score.py", run_name="__main__")
    assert f"--out {tmp_path} is a folder" in capsys.readouterr().err
