"""Predicted parsing maps in the place of a data set's own."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, load_palette_png, save_palette_png
from seg_vton.parsing.jobs import Item, Job, PhotoResults
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import read_photo
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.datasets.predicted import missing_part


def build(root, split="train", size=(64, 48), **settings):
    return TryOnDataset(root, f"{split}_pairs.txt", "paper_doll", "deepfashion15", split, image_size=size, **settings)


def maps_of(root, split="train"):
    """The set's own maps by person."""
    return {p.stem: load_palette_png(p, "deepfashion15") for p in sorted((root / split / "image-parse").glob("*.png"))}


def write_maps(root, maps, split="train", folder="seen"):
    """Writes maps as `tools/parse.py` does."""
    results = PhotoResults(root / split / folder, {"checkpoint_sha256": "aa"})
    for name, label_map in maps.items():
        photo = Item(root / split / "image" / f"{name}.jpg", name)
        save_palette_png(results.path("label-map", name), label_map, "deepfashion15", overwrite=True)
        results.write_record(Job(name, (photo,), ("label-map",)), pending=False)
    return folder


def inputs(dataset, index=0):
    return dataset[index]["inputs"]


def test_the_sets_own_maps_as_predictions_give_the_same_items(dolls):
    folder = write_maps(dolls, maps_of(dolls))
    shutil.rmtree(dolls / "train" / "image-parse")  # predictions need none
    seen = build(dolls, parse={"source": "predicted", "folder": folder})
    assert len(seen) == 5
    assert not seen.left_out
    shutil.copytree(dolls / "train" / "seen" / "label-map", dolls / "train" / "image-parse")
    own = build(dolls, parse={"source": "files"})
    for index in range(5):
        expected = inputs(own, index)
        assert inputs(seen, index).keys() == expected.keys()
        assert all(torch.equal(inputs(seen, index)[key], value) for key, value in expected.items())


def test_everything_comes_from_the_prediction(dolls):
    """A prediction that calls trousers a top moves body shape, head, garment and the auxiliary target alike."""
    maps = maps_of(dolls)
    space = DEEPFASHION15
    name = next(iter(maps))
    changed = {key: value.copy() for key, value in maps.items()}
    changed[name][np.isin(maps[name], space.unions.upper)] = space.id_of("skin")
    changed[name][40:60, 10:38] = space.id_of("top")
    changed[name][:12] = space.id_of("hair")
    got = inputs(build(dolls, parse={"source": "predicted", "folder": write_maps(dolls, changed)}))
    top = np.isin(changed[name], space.unions.upper)
    assert np.array_equal(got["parse_cloth_mask"][0].numpy() > 0, top)
    assert torch.equal(got["parse_cloth"][:, ~top], torch.ones(3, int((~top).sum())))
    head = np.isin(changed[name], space.unions.head)
    assert torch.equal(got["agnostic"][1:4][:, head], got["image"][:, head])
    assert (got["agnostic"][1:4][:, ~head] == -1).all()
    assert (got["parse"].numpy()[top] == 4).all()  # tryon8: upper
    own = inputs(build(dolls))
    assert not torch.equal(got["agnostic"][0], own["agnostic"][0])
    assert torch.equal(got["agnostic"][4:], own["agnostic"][4:])


def test_with_the_sets_own_targets_only_the_representation_is_predicted(dolls):
    maps = {name: np.roll(value, 5, axis=1) for name, value in maps_of(dolls).items()}
    folder = write_maps(dolls, maps)
    mixed = inputs(build(dolls, parse={"source": "predicted", "folder": folder, "targets": "files"}))
    own = inputs(build(dolls))
    seen = inputs(build(dolls, parse={"source": "predicted", "folder": folder}))
    assert torch.equal(mixed["agnostic"], seen["agnostic"])
    assert not torch.equal(mixed["agnostic"], own["agnostic"])
    rest = set(own) - {"agnostic"}
    assert all(torch.equal(mixed[key], own[key]) for key in rest)


def test_useless_predictions_are_left_out_and_counted(dolls, caplog):
    maps = maps_of(dolls)
    first, second, third, *_ = maps
    maps[first] = np.where(np.isin(maps[first], DEEPFASHION15.unions.upper), 0, maps[first])
    maps[second] = np.where(np.isin(maps[second], DEEPFASHION15.unions.head), 0, maps[second])
    maps[third] = np.zeros_like(maps[third])
    folder = write_maps(dolls, maps)
    with caplog.at_level("WARNING"):
        dataset = build(dolls, parse={"source": "predicted", "folder": folder})
    assert [pair.person[:-4] for pair in dataset.pairs] == list(maps)[3:]
    assert len(dataset) == 2
    assert dataset.left_out == {"no upper garment": 2, "no head": 1}
    assert inputs(dataset, 1)["parse_cloth_mask"].any()
    kept = build(dolls, parse={"source": "predicted", "folder": folder, "targets": "files"})
    assert len(kept) == 5  # tests compare rows on the same pairs
    for name in list(maps)[3:]:
        maps[name] = np.zeros_like(maps[name])
    write_maps(dolls, maps)
    with pytest.raises(UserError, match=r"no pair of .* is left to train on: \{'no upper garment': 4, 'no head': 1\}"):
        build(dolls, parse={"source": "predicted", "folder": folder})


def test_what_a_map_lacks():
    full = np.zeros((100, 100), np.uint8)
    full[:3, :3], full[50:60, :20] = DEEPFASHION15.id_of("hair"), DEEPFASHION15.id_of("dress")
    assert missing_part(full) is None
    assert missing_part(np.where(full == DEEPFASHION15.id_of("dress"), DEEPFASHION15.id_of("skirt"), full)) == (
        "no upper garment"
    )
    assert missing_part(np.where(full == DEEPFASHION15.id_of("hair"), DEEPFASHION15.id_of("skin"), full)) == "no head"


@pytest.fixture(scope="module")
def predicted(tiny_dolls, tiny_config_file, tiny_weights, tmp_path_factory):
    """A set whose maps a segmenter of random weights predicts, and the settings."""
    root = shutil.copytree(tiny_dolls, tmp_path_factory.mktemp("predicted") / "dolls")
    settings = {
        "source": "predicted",
        "config": str(tiny_config_file),
        "checkpoint": str(tiny_weights[0]),
        "score_thr": 0.01,
        "targets": "files",
    }
    return root, settings, build(root, parse=settings)


def test_maps_are_predicted_when_the_set_is_built(predicted, tiny_config_file, tiny_weights):
    root, _, dataset = predicted
    parser = ClothingParser(tiny_config_file, tiny_weights[0], score_thr=0.01)
    found = [load_palette_png(files["predicted_parse"], "deepfashion15") for files in dataset.files]
    assert sum(label_map.any() for label_map in found) >= 2
    for pair, label_map in zip(dataset.pairs, found, strict=True):
        assert np.array_equal(label_map, parser(read_photo(root / "train" / "image" / pair.person)).label_map())


def _nothing(self, images):
    """`parse_batch` where there is to be nothing to predict."""
    assert not images
    return []


def test_predictions_are_kept_by_checkpoint(predicted, tiny_weights, monkeypatch):
    root, settings, dataset = predicted
    other = build(root, parse={**settings, "checkpoint": str(tiny_weights[1])})
    before, after = ({d.files[i]["predicted_parse"] for i in range(5)} for d in (dataset, other))
    assert not before & after
    assert len(list((root / "train" / "image-parse-predicted").iterdir())) == 2
    monkeypatch.setattr(ClothingParser, "parse_batch", _nothing)
    again = build(root, parse=settings)
    assert {again.files[i]["predicted_parse"] for i in range(5)} == before


@pytest.mark.parametrize(
    ("parse", "expected"),
    [
        ({"source": "magic"}, "parse is dict"),
        ({"source": "files", "folder": "x"}, "folders=dict"),
        ({"source": "predicted", "targets": "both"}, "parse.targets is one of predicted, files"),
        ({"source": "predicted", "config": "a.py"}, "a config without a checkpoint"),
        ({"source": "predicted", "config": "a.py", "checkpoint": "none.pth"}, r"checkpoint none\.pth does not exist"),
        ({"source": "predicted", "folder": "nowhere"}, "no label maps of 5 of 5.*tools/parse.py .* --score-thr 0.3`"),
    ],
)
def test_wrong_settings_are_refused(tiny_dolls, parse, expected):
    with pytest.raises(UserError, match=expected):
        build(tiny_dolls, parse=parse)


def test_a_map_of_another_picture_is_refused(dolls):
    maps = maps_of(dolls)
    name = next(iter(maps))
    maps[name] = np.asarray(Image.fromarray(maps[name]).resize((64, 64), Image.Resampling.NEAREST))
    dataset = build(dolls, parse={"source": "predicted", "folder": write_maps(dolls, maps)})
    with pytest.raises(UserError, match="not of one picture"):
        dataset[0]


def test_a_half_written_map_is_no_map(dolls):
    folder = write_maps(dolls, maps_of(dolls))
    record = next((dolls / "train" / folder / "records").glob("*.json"))
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "files": {}, "pending": ["label-map"]}))
    with pytest.raises(UserError, match="no label maps of 1 of 5 photos"):
        build(dolls, parse={"source": "predicted", "folder": folder})
