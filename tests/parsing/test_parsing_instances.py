import numpy as np
import pytest
import torch

from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, DFMM24, LabelConversionError
from seg_vton.parsing.instances import MAPS, Parsing, from_sample, space_of


def predictions(scores, labels):
    """What mmdet gives: instance i has its box's left at i and one pixel in column i."""
    count = len(scores)
    masks = torch.zeros(count, 4, 8, dtype=torch.bool)
    masks[range(count), 0, range(count)] = True
    boxes = torch.arange(count)[:, None] + torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    return {"bboxes": boxes, "scores": torch.tensor(scores), "labels": torch.tensor(labels).long(), "masks": masks}


def test_detections_come_by_falling_score_with_label_ids_by_name():
    sample = predictions([0.2, 0.9, 0.5, 0.9], [0, 1, 2, 0])
    parsing = from_sample(sample, ("hair", "top", "bag"), score_thr=0.5)
    assert parsing.classes == ("top", "hair", "bag")
    assert parsing.labels.tolist() == [DEEPFASHION15.id_of(name) for name in parsing.classes]
    assert parsing.scores.tolist() == pytest.approx([0.9, 0.9, 0.5])
    assert parsing.boxes[:, 0].tolist() == [1, 3, 2]
    assert [int(np.flatnonzero(mask[0])[0]) for mask in parsing.masks] == [1, 3, 2]
    assert (parsing.boxes.dtype, parsing.scores.dtype) == (np.float32, np.float32)
    assert (parsing.labels.dtype, parsing.masks.dtype) == (np.int64, bool)
    assert (len(parsing), parsing.shape) == (3, (4, 8))


def test_the_best_of_each_class_stays_in_the_order_of_scores():
    parsing = from_sample(predictions([0.9, 0.8, 0.7, 0.6, 0.5], [2, 0, 2, 1, 0]), CLOTHING_CLASSES)
    best = parsing.best_per_class()
    assert best.scores.tolist() == pytest.approx([0.9, 0.8, 0.6])
    assert best.labels.tolist() == [3, 1, 2]


def test_nothing_found_is_a_result():
    parsing = from_sample(predictions([0.1], [3]), CLOTHING_CLASSES, score_thr=0.5)
    assert len(parsing) == len(parsing.best_per_class()) == 0
    assert parsing.masks.shape == (0, 4, 8)
    assert parsing.boxes.shape == (0, 4)
    assert parsing.classes == ()
    assert parsing.label_map("tryon8").tolist() == np.zeros((4, 8)).tolist()
    assert not parsing.regions().body.any()


def test_label_maps_come_in_any_space_that_can_be_converted_to():
    masks = np.zeros((2, 2, 3), bool)
    masks[0, :, :2], masks[1, :, 1:] = True, True
    parsing = Parsing(np.zeros((2, 4), np.float32), np.array([0.9, 0.8], np.float32), np.array([1, 14]), masks)
    assert parsing.label_map().tolist() == [[1, 1, 14]] * 2  # the top lies over the skin
    assert parsing.label_map("tryon8").tolist() == [[4, 4, 3]] * 2
    assert parsing.regions().upper.tolist() == [[True, True, False]] * 2
    with pytest.raises(LabelConversionError, match="no left or right"):
        parsing.label_map("lip20")


def test_holes_can_stay():
    mask = np.ones((1, 40, 40), bool)
    mask[0, 20, 20] = False
    parsing = Parsing(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([1]), mask)
    assert parsing.label_map()[20, 20] == 1
    assert parsing.label_map(fill_holes=False)[20, 20] == 0
    assert parsing.regions().body[20, 20]
    assert not parsing.regions(fill_holes=False).body[20, 20]


def test_a_list_of_other_classes_has_label_maps_of_its_own():
    parsing = from_sample(predictions([0.9, 0.8], [1, 0]), ("shoe", "person"))
    assert parsing.classes == ("person", "shoe")
    assert parsing.space.name == "own(shoe, person)"
    assert parsing.space.classes == ("background", "shoe", "person")
    assert parsing.label_map()[0].tolist() == [2, 1, 0, 0, 0, 0, 0, 0]
    assert not parsing.regions().upper.any()
    with pytest.raises(LabelConversionError, match=r"register_conversion"):
        parsing.label_map("tryon8")


def test_the_space_of_a_class_list_is_the_registered_one_whatever_the_order():
    assert space_of(("hair", "top")) == DEEPFASHION15
    assert space_of(DFMM24.classes[:0:-1]) == DFMM24
    assert space_of(DFMM24.classes[1:-1]).classes == DFMM24.classes[:-1]


def test_enlarged_instances_are_the_same_in_another_frame():
    rows, columns = np.mgrid[:40, :60]
    disc = (rows - 20) ** 2 + (columns - 30) ** 2 < 15**2
    small = Parsing(np.array([[15, 5, 45, 35]], np.float32), np.ones(1, np.float32), np.array([1]), disc[None])
    assert small.resized((40, 60)) is small
    large = small.resized((400, 480))
    assert large.boxes.tolist() == [[120, 50, 360, 350]]
    assert (large.shape, large.masks.dtype, large.boxes.dtype) == ((400, 480), bool, np.float32)
    rows, columns = np.mgrid[:400, :480]
    exact = ((rows + 0.5) / 10 - 20.5) ** 2 + ((columns + 0.5) / 8 - 30.5) ** 2 < 15**2
    assert (large.masks[0] & exact).sum() / (large.masks[0] | exact).sum() > 0.95


def test_a_semantic_map_comes_by_class_names_and_is_fused_unless_told():
    """The detector has an order of its own; hair and bag are where they were found, what is next best elsewhere."""
    ids = torch.tensor([[[0, 1, 2, 3, 3, 0, 0, 0]] * 4])
    found, classes = predictions([0.9, 0.8, 0.7], [0, 2, 2]), ("hair", "top", "bag")
    parsing = from_sample(found, classes, labeled={"sem_seg": ids, "ranked": torch.cat([ids, torch.full_like(ids, 2)])})
    top, bag, hair = (DEEPFASHION15.id_of(name) for name in ("top", "bag", "hair"))
    own = [0, hair, top, bag, bag, 0, 0, 0]
    maps = {source: parsing.label_map(source=source)[0].tolist() for source in MAPS}
    assert maps == {
        "semantic": own,
        "instances": [hair, bag, bag, 0, 0, 0, 0, 0],
        "fused": [hair, bag, bag, top, top, 0, 0, 0],
    }
    assert parsing.best_map == "fused"
    assert parsing.label_map()[0].tolist() == maps["fused"]
    assert parsing.best_per_class().label_map()[0].tolist() == [hair, bag, top, top, top, 0, 0, 0]
    alone = from_sample(found, classes, labeled={"sem_seg": ids})  # as another model may give it
    assert alone.label_map()[0].tolist() == [hair, bag, bag, 0, 0, 0, 0, 0]
    large = parsing.resized((8, 16))
    assert large.label_map(source="semantic")[:, ::2][0].tolist() == own
    assert large.label_map().shape == (8, 16)
    assert from_sample(predictions([0.9], [0]), ("hair",)).best_map == "instances"
    assert parsing.regions().body[0].tolist() == [label > 0 for label in maps["fused"]]
