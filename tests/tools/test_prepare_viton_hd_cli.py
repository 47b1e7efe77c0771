"""tools/data/prepare_viton_hd.py as a user runs it."""


def test_prepare_viton_hd(here, tiny_dolls, tmp_path, capsys):
    folder = tiny_dolls / "train"
    command = ["data/prepare_viton_hd.py", "--person", folder / "image", "--garment", folder / "cloth"]
    command += ["--parsing", folder / "image-parse", "--pose", folder / "pose", "--out", tmp_path / "set"]
    assert not here(*command, "--label-space", "deepfashion15", "--size", "128x96")
    said = capsys.readouterr().out
    assert "left out image-densepose: detectron2's DensePose makes it" in said
    assert "made 10 persons and garments, 0 were done before, 0 faults; 5 pairs" in said
    assert here(*command, "--label-space", "deepfashion15", "--size", "9x9") == 2
    assert "9x9 is not height x width, each from 64 to 4096" in capsys.readouterr().err
    refused = {
        (): "--parsing needs --label-space",
        ("--label-space", "atr18", "--score-thr", "0.5"): "--score-thr is of a segmenter's instances",
        ("--label-space", "atr18", "--models", folder): "each make the label maps: give one",
    }
    for options, message in refused.items():
        assert here(*command, *options) == 2
        assert message in capsys.readouterr().err
