"""The tool that makes pairs from photos, as a user runs it."""

import shutil


def test_pairs_from_photos(cli, tiny_dolls, tmp_path):
    folder, photos = tiny_dolls / "train", tmp_path / "photos"
    shutil.copytree(folder / "image", photos)
    shutil.copy(photos / "000001_0.jpg", photos / "other.jpg")
    command = ["data/pairs_from_photos.py", "--photos", photos, "--masks", folder / "image-parse"]
    command += ["--poses", folder / "pose", "--train", "000001_0", "000002_0", "--test", "00000[345]_0"]
    command += ["--size", "48", "64", "--min-garment", "500", "--out", tmp_path / "set"]
    ended = cli(*command)
    assert ended.returncode == 0, ended.stderr
    assert "2 persons to train on, 3 to test on" in ended.stdout
    assert "left out 1 x no labels: other.jpg" in ended.stdout
    assert "5/5" in ended.stderr
    again = cli(*command)
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("error: ")
    assert "pass --overwrite" in again.stderr
    assert "Traceback" not in again.stderr
