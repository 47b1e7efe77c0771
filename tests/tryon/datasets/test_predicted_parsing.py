"""A segmenter's parsing maps in the place of a data set's own."""

import json
import shutil

import numpy as np
import pytest
import torch
import tryon_pipelines
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, convert, get_space, load_palette_png, save_palette_png
from seg_vton.parsing.jobs import Item, Job, PhotoResults
from seg_vton.tryon.datasets.predicted import missing_part

RECORD = {"checkpoint": "a.pth", "checkpoint_sha256": "aa", "score_thr": 0.3, "label_space": "deepfashion15"}
ALL_SEEN = tryon_pipelines.PREDICTED_TRAIN
TESTS = tryon_pipelines.PREDICTED_TEST


def build(root, **options):
    arguments = (root, "train_pairs.txt", "paper_doll", "deepfashion15", "train")
    return tryon_pipelines.build(*arguments, image_size=(64, 48), **options)


def seen_of(root, folder="seen", pipeline=ALL_SEEN):
    return build(root, pipeline=pipeline, folders={"predicted_parse": folder})


def maps_of(root):
    """The set's own maps by person."""
    return {p.stem: load_palette_png(p, "deepfashion15") for p in sorted((root / "train/image-parse").glob("*.png"))}


def write_maps(root, maps, record=RECORD):
    """Writes maps as `tools/parse.py --out SPLIT/seen` does."""
    results = PhotoResults(root / "train" / "seen", record)
    for name, label_map in maps.items():
        photo = Item(root / "train" / "image" / f"{name}.jpg", name)
        save_palette_png(results.path("label-map", name), label_map, record["label_space"], overwrite=True)
        results.write_record(Job(name, (photo,), ("label-map",)), pending=False)


def inputs(dataset, index=0):
    return dataset[index]["inputs"]


def test_the_sets_own_maps_as_predictions_give_the_same_items(dolls):
    own = [inputs(build(dolls), index) for index in range(5)]
    write_maps(dolls, maps_of(dolls))
    shutil.rmtree(dolls / "train" / "image-parse")  # predictions need none
    seen = seen_of(dolls)
    assert len(seen) == 5
    assert not seen.left_out
    for index, expected in enumerate(own):
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
    write_maps(dolls, changed)
    got = inputs(seen_of(dolls))
    top = np.isin(changed[name], space.unions.upper)
    assert np.array_equal(got["parse_cloth_mask"][0].numpy() > 0, top)
    assert torch.equal(got["parse_cloth"][:, ~top], torch.ones(3, int((~top).sum())))
    head = np.isin(changed[name], space.unions.head)
    assert torch.equal(got["agnostic"][1:4][:, head], got["image"][:, head])
    assert (got["agnostic"][1:4][:, ~head] == -1).all()
    assert (got["parse"].numpy()[top] == get_space("tryon8").id_of("upper")).all()
    own = inputs(build(dolls))
    assert not torch.equal(got["agnostic"][0], own["agnostic"][0])
    assert torch.equal(got["agnostic"][4:], own["agnostic"][4:])


def test_in_tests_only_the_representation_is_predicted(dolls):
    write_maps(dolls, {name: np.roll(value, 5, axis=1) for name, value in maps_of(dolls).items()})
    mixed, own, seen = inputs(seen_of(dolls, pipeline=TESTS)), inputs(build(dolls)), inputs(seen_of(dolls))
    assert torch.equal(mixed["agnostic"], seen["agnostic"])
    assert not torch.equal(mixed["agnostic"], own["agnostic"])
    assert all(torch.equal(mixed[key], own[key]) for key in set(own) - {"agnostic"})


def test_useless_predictions_are_left_out_and_counted(dolls):
    maps = maps_of(dolls)
    first, second, third, *_ = maps
    maps[first] = np.where(np.isin(maps[first], DEEPFASHION15.unions.upper), 0, maps[first])
    maps[second] = np.where(np.isin(maps[second], DEEPFASHION15.unions.head), 0, maps[second])
    maps[third] = np.zeros_like(maps[third])
    write_maps(dolls, maps)
    dataset = seen_of(dolls)
    assert [pair.person[:-4] for pair in dataset.pairs] == list(maps)[3:]
    assert len(dataset) == 2
    assert dataset.left_out == {"no upper garment": 2, "no head": 1}
    assert inputs(dataset, 1)["parse_cloth_mask"].any()
    assert len(seen_of(dolls, pipeline=TESTS)) == 5  # tests compare rows on the same pairs
    for name in list(maps)[3:]:
        maps[name] = np.zeros_like(maps[name])
    write_maps(dolls, maps)
    with pytest.raises(UserError, match=r"no pair of .* is left to train on: \{'no upper garment': 4, 'no head': 1\}"):
        seen_of(dolls)


def test_what_a_map_lacks():
    full = np.zeros((100, 100), np.uint8)
    full[:3, :3], full[50:60, :20] = DEEPFASHION15.id_of("hair"), DEEPFASHION15.id_of("dress")
    assert missing_part(full, "deepfashion15") is None
    for there, instead, lacks in (("dress", "skirt", "no upper garment"), ("hair", "skin", "no head")):
        other = np.where(full == DEEPFASHION15.id_of(there), DEEPFASHION15.id_of(instead), full)
        assert missing_part(other, "deepfashion15") == lacks


def test_of_the_garment_that_is_tried_on_a_map_must_have_enough(dolls):
    pants = DEEPFASHION15.id_of("pants")
    write_maps(dolls, {name: np.where(label_map == pants, 0, label_map) for name, label_map in maps_of(dolls).items()})
    with pytest.raises(UserError, match=r"is left to train on: \{'no pants': 5\}"):
        build(dolls, pipeline=ALL_SEEN, folders={"predicted_parse": "seen"}, garment_classes=["pants"])


def test_missing_maps_are_counted_and_the_command_is_said(dolls):
    with pytest.raises(
        UserError, match=r"no label maps of 5 of 5.*tools/parse.py .*image --out .*seen --write label-map"
    ):
        seen_of(dolls)
    with pytest.raises(UserError, match=r"train.image-parse-predicted has no label maps"):
        build(dolls, pipeline=ALL_SEEN)


def test_the_maps_have_one_record_which_the_metainfo_keeps(dolls):
    maps = maps_of(dolls)
    write_maps(dolls, maps)
    assert seen_of(dolls).metainfo == {**build(dolls).metainfo, "records": {"predicted_parse": RECORD}}
    write_maps(dolls, dict(list(maps.items())[:2]), {**RECORD, "score_thr": 0.5})
    with pytest.raises(UserError, match=r"are of 2 segmenters or settings \(score_thr 0.5 and 0.3\): write all"):
        seen_of(dolls)


def test_a_config_may_name_the_record(dolls):
    write_maps(dolls, maps_of(dolls))
    named = tryon_pipelines.changed("LoadParsing", role="predicted_parse", record={"score_thr": 0.3})
    assert len(seen_of(dolls, pipeline=named)) == 5
    other = tryon_pipelines.changed("LoadParsing", role="predicted_parse", record={"checkpoint_sha256": "bb"})
    with pytest.raises(UserError, match=r"not those of the record .*checkpoint_sha256 is 'aa', not 'bb'"):
        seen_of(dolls, pipeline=other)


def test_maps_of_another_label_space_are_read_in_it(dolls):
    maps = {name: convert(value, "deepfashion15", "tryon8") for name, value in maps_of(dolls).items()}
    write_maps(dolls, maps, {"label_space": "tryon8"})
    got, own = inputs(seen_of(dolls)), inputs(build(dolls))
    assert torch.equal(got["parse"], own["parse"])
    assert torch.equal(got["parse_cloth_mask"], own["parse_cloth_mask"])


def test_a_map_of_another_picture_is_refused(dolls):
    maps = maps_of(dolls)
    name = next(iter(maps))
    maps[name] = np.asarray(Image.fromarray(maps[name]).resize((64, 64), Image.Resampling.NEAREST))
    write_maps(dolls, maps)
    with pytest.raises(UserError, match="not of one picture"):
        seen_of(dolls)[0]


def test_a_half_written_map_is_no_map(dolls):
    write_maps(dolls, maps_of(dolls))
    record = next((dolls / "train" / "seen" / "records").glob("*.json"))
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "files": {}, "pending": ["label-map"]}))
    with pytest.raises(UserError, match="no label maps of 1 of 5 photos"):
        seen_of(dolls)
