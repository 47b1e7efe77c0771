import contextlib
import io
import json
import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.ndimage import minimum_filter

from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.segmentation.metrics import IOU_TYPES, SUMMARY_NAMES, InstanceAP

SIZE = (240, 320)  # height, width
ABSENT = ("skirt", "rompers")  # classes without ground truth
EMPTY_IMAGES = (3, 11)  # without ground truth
UNSEEN_IMAGES = (5, 11)  # without predictions


def rle(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def ellipse(box):
    """Mask of the ellipse inside a box x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    x, y = (columns + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2), (rows + 0.5 - (y1 + y2) / 2) / ((y2 - y1) / 2)
    return x**2 + y**2 <= 1


def random_box(rng):
    """A box of side 6 to 140: all three of COCO's sizes occur."""
    w, h = rng.integers(6, 141, 2)
    x, y = rng.integers(0, (SIZE[1] - w, SIZE[0] - h))
    return np.array([x, y, x + w, y + h], float)


def ground_truth(rng, ids, images=24):
    """A COCO file of 24 images with 0 to 9 instances of 13 classes, every ninth a crowd."""
    names = [name for name in CLOTHING_CLASSES if name not in ABSENT]
    annotations = []
    for image in range(images):
        for _ in range(0 if image in EMPTY_IMAGES else rng.integers(2, 10)):
            box, name = random_box(rng), rng.choice(names)
            mask = ellipse(box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 100 + image,
                    "category_id": ids[str(name)],
                    "bbox": [*box[:2], *(box[2:] - box[:2])],
                    "area": int(mask.sum()),
                    "iscrowd": int(len(annotations) % 9 == 8),
                    "segmentation": rle(mask),
                }
            )
    return {
        "images": [
            {"id": 100 + i, "file_name": f"{i}.jpg", "height": SIZE[0], "width": SIZE[1]} for i in range(images)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for name, i in ids.items()],
    }


def predict(rng, content, classes=CLOTHING_CLASSES):
    """Samples as mmdet hands them over: jittered copies of the truth (some of another class) and false alarms.

    Scores have one decimal, so that many tie.
    """
    names = {category["id"]: category["name"] for category in content["categories"]}
    samples = []
    for number, image in enumerate(content["images"]):
        found = []
        for annotation in [] if number in UNSEEN_IMAGES else content["annotations"]:
            if annotation["image_id"] == image["id"] and names[annotation["category_id"]] in classes:
                x, y, w, h = annotation["bbox"]
                label = classes.index(names[annotation["category_id"]])
                for _ in range(rng.integers(0, 5)):
                    box = np.array([x, y, x + w, y + h]) + rng.normal(0, 0.04, 4) * [w, h, w, h]
                    found.append((box, label if rng.random() < 0.9 else rng.integers(len(classes))))
        for _ in range(0 if number in UNSEEN_IMAGES else rng.integers(0, 6)):
            found.append((random_box(rng), rng.integers(len(classes))))
        samples.append(sample(image["id"], found, np.round(rng.random(len(found)), 1)))
    return samples


def sample(image_id, found, scores):
    boxes = np.array([box for box, _ in found]).reshape(-1, 4)
    masks = np.array([ellipse(box) for box in boxes], bool).reshape(-1, *SIZE)
    instances = {
        "bboxes": torch.tensor(boxes, dtype=torch.float32),
        "scores": torch.tensor(scores, dtype=torch.float32),
        "labels": torch.tensor([label for _, label in found], dtype=torch.long),
        "masks": torch.tensor(masks),
    }
    return {"img_id": image_id, "pred_instances": instances}


def in_order():
    return {name: i for i, name in enumerate(CLOTHING_CLASSES, start=1)}


def shuffled():
    """Other ids in another order: mask 3, 10, ... by descending class."""
    return {name: 3 + 7 * i for i, name in enumerate(CLOTHING_CLASSES[::-1])}


def evaluate(metric, samples, classes=CLOTHING_CLASSES):
    metric.dataset_meta = {"classes": classes}
    for start in range(0, len(samples), 3):
        metric.process({}, samples[start : start + 3])
    return metric.evaluate(len(samples))


@pytest.fixture
def case(tmp_path):
    """Builds a metric for random truth and its predictions: `(metric, samples, path)`."""

    def build(ids, seed=0, **kwargs):
        rng = np.random.default_rng(seed)
        content = ground_truth(rng, ids)
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return InstanceAP(str(path), "random", "val", **kwargs), predict(rng, content), path

    return build


def boundary(encoded):
    """A mask's pixels that have one outside of it, or the image's end, within .02 of the image's diagonal.

    Distances are those of a chessboard's king, as in the code of Cheng et al., who erode with 3 x 3 pixels.
    """
    mask = coco_mask.decode(encoded)
    reach = max(1, round(0.02 * np.hypot(*mask.shape)))
    return rle(mask - minimum_filter(mask, 2 * reach + 1, mode="constant", cval=0))


class BoundaryEval(COCOeval):
    """pycocotools' evaluation by the smaller of mask IoU and boundary IoU; crowds have no boundary."""

    def computeIoU(self, image, category):  # noqa: N802  pycocotools' name
        """(detections, truths), as pycocotools has it for masks."""
        whole = super().computeIoU(image, category)
        entries = [*self._gts[image, category], *self._dts[image, category]]
        masks = [entry["segmentation"] for entry in entries]
        for entry, mask in zip(entries, masks, strict=True):
            entry["segmentation"] = boundary(mask)
        edges = super().computeIoU(image, category)
        for entry, mask in zip(entries, masks, strict=True):
            entry["segmentation"] = mask
        if len(whole):
            alone = np.array([not entry["iscrowd"] for entry in self._gts[image, category]], bool)
            whole[:, alone] = np.minimum(whole, edges)[:, alone]
        return whole


def reference(path, samples, kind, class_ids):
    """pycocotools' precision array at 100 detections, all sizes, classes in the order of `class_ids`, and its stats."""
    rows = []
    for entry in samples:
        predicted = entry["pred_instances"]
        columns = (predicted[key].numpy() for key in ("bboxes", "scores", "labels", "masks"))
        for box, score, label, mask in zip(*columns, strict=True):
            x1, y1, x2, y2 = box.astype(float)
            place = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if kind == "bbox" else {"segmentation": rle(mask)}
            rows.append({"image_id": entry["img_id"], "category_id": class_ids[label], "score": float(score), **place})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        form, kind = (BoundaryEval, "segm") if kind == "boundary" else (COCOeval, kind)
        evaluation = form(truth, truth.loadRes(rows), kind)
        evaluation.params.catIds = class_ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    order = [evaluation.params.catIds.index(i) for i in class_ids]
    return evaluation.eval["precision"][:, :, order, 0, -1], evaluation.stats


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else None


@pytest.mark.parametrize("ids", [in_order(), shuffled()], ids=["ids in order", "ids shuffled"])
@pytest.mark.parametrize("seed", [0, 1])
def test_all_numbers_are_those_of_pycocotools(case, ids, seed):
    metric, samples, path = case(ids, seed)
    scalars = evaluate(metric, samples)
    assert sum(len(entry["pred_instances"]["scores"]) for entry in samples) > 200
    class_ids = [ids[name] for name in CLOTHING_CLASSES]
    for kind in IOU_TYPES:
        precision, stats = reference(path, samples, kind, class_ids)
        assert 0.05 < stats[0] < 0.95
        ours = [metric.report["metrics"][kind][name] for name in SUMMARY_NAMES]
        assert ours == pytest.approx(list(stats[:6]), abs=1e-6)
        names = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
        assert [scalars[f"coco/{kind}_{name}"] for name in names] == pytest.approx(list(stats[:6]), abs=1e-6)
        for index, name in enumerate(CLOTHING_CLASSES):
            row = metric.report["per_class"][name][kind]
            assert row["AP"] == pytest.approx(mean(precision[:, :, index]), abs=1e-6), (kind, name)
            assert row["AP50"] == pytest.approx(mean(precision[0, :, index]), abs=1e-6), (kind, name)


def test_counts_in_the_report(case):
    metric, samples, path = case(shuffled())
    evaluate(metric, samples)
    content, report = json.loads(path.read_text()), metric.report
    names = {category["id"]: category["name"] for category in content["categories"]}
    truths = [names[a["category_id"]] for a in content["annotations"] if not a["iscrowd"]]
    labels = [CLOTHING_CLASSES[i] for entry in samples for i in entry["pred_instances"]["labels"].tolist()]
    assert (report["dataset"], report["split"], report["annotations"]) == ("random", "val", "instances.json")
    assert (report["images"], report["instances"], report["predictions"]) == (24, len(truths), len(labels))
    for name in CLOTHING_CLASSES:
        row = report["per_class"][name]
        assert (row["instances"], row["predictions"]) == (truths.count(name), labels.count(name))


def test_a_class_without_truth_has_no_ap(case):
    metric, samples, _ = case(in_order())
    scalars = evaluate(metric, samples)
    for name in CLOTHING_CLASSES:
        for kind in IOU_TYPES:
            values = metric.report["per_class"][name][kind].values()
            assert all((value is None) == (name in ABSENT) for value in values)
    assert all(isinstance(value, float) for value in scalars.values())


def test_a_size_without_truth_is_left_out_of_the_log(case):
    _, samples, path = case(in_order())
    content = json.loads(path.read_text())
    content["annotations"] = [a for a in content["annotations"] if a["area"] > 96**2]
    path.write_text(json.dumps(content))
    scalars = evaluate(InstanceAP(str(path), "random", "val"), samples)
    assert "coco/bbox_mAP_l" in scalars
    assert not {"coco/bbox_mAP_s", "coco/segm_mAP_s", "coco/bbox_mAP_m"} & set(scalars)


def test_no_predictions_at_all_is_zero(case):
    metric, samples, _ = case(in_order())
    nothing = [sample(entry["img_id"], [], []) for entry in samples]
    scalars = evaluate(metric, nothing)
    assert set(scalars.values()) == {0.0}
    assert len(scalars) == 18
    assert metric.report["metrics"]["segm"]["AP"] == 0.0
    assert metric.predictions == []


def test_perfect_predictions_are_one(case):
    metric, _, path = case(shuffled())
    content = json.loads(path.read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    perfect = []
    for image in content["images"]:
        boxes = [
            (np.array([x, y, x + w, y + h]), CLOTHING_CLASSES.index(names[a["category_id"]]))
            for a in content["annotations"]
            if a["image_id"] == image["id"] and not a["iscrowd"]
            for x, y, w, h in [a["bbox"]]
        ]
        perfect.append(sample(image["id"], boxes, np.full(len(boxes), 0.9)))
    scalars = evaluate(metric, perfect)
    assert list(scalars.values()) == pytest.approx([1.0] * len(scalars))


def square_sample(image_id, shift):
    """A square of side 100, its contour moved inwards by some pixels."""
    mask = np.zeros(SIZE, bool)
    mask[60 + shift : 160 - shift, 80 + shift : 180 - shift] = True
    box = np.array([80 + shift, 60 + shift, 180 - shift, 160 - shift], float)
    found = sample(image_id, [(box, 0)], [0.9])
    found["pred_instances"]["masks"] = torch.tensor(mask[None])
    return found, {"bbox": [80.0, 60.0, 100.0, 100.0], "area": 10000, "segmentation": rle(mask)}


def test_boundary_ap_sees_what_mask_ap_does_not(tmp_path):
    """A square one pixel too small on all sides: mask IoU .96, boundary IoU .78."""
    _, truth = square_sample(1, 0)
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, **truth}
    image = {"id": 1, "file_name": "1.jpg", "height": SIZE[0], "width": SIZE[1]}
    content = {"images": [image], "annotations": [annotation]}
    content["categories"] = [{"id": i, "name": name} for name, i in in_order().items()]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    metric = InstanceAP(str(path), "square", "val")
    evaluate(metric, [square_sample(1, 1)[0]])
    # A ring of 8 pixels: 100^2 - 84^2 = 2944 of the truth, 98^2 - 82^2 = 2880, 98^2 - 84^2 = 2548 of both.
    assert 98**2 / 100**2 > 0.95
    assert 0.75 < 2548 / (2944 + 2880 - 2548) < 0.8
    assert metric.report["metrics"]["segm"]["AP"] == 1
    assert metric.report["metrics"]["boundary"]["AP"] == pytest.approx(6 / 10)


def test_boundary_ap_can_be_left_out(case):
    _, samples, path = case(in_order())
    metric = InstanceAP(str(path), "random", "val", iou_types=("bbox", "segm"))
    assert not [name for name in evaluate(metric, samples) if "boundary" in name]
    assert list(metric.report["metrics"]) == ["bbox", "segm"]


def renamed(content, name):
    """A COCO file's content with other ids: `name` makes one of a section and an id."""
    for section in ("images", "annotations", "categories"):
        for entry in content[section]:
            entry["id"] = name(section, entry["id"])
    for annotation in content["annotations"]:
        annotation["image_id"] = name("images", annotation["image_id"])
        annotation["category_id"] = name("categories", annotation["category_id"])
    return content


@pytest.mark.parametrize(
    "name",
    [lambda section, i: i - {"annotations": 1, "images": 100, "categories": 1}[section], lambda _, i: f"id {i:03}"],
    ids=["from zero", "text"],
)
def test_ids_do_not_change_the_numbers(case, name):
    """pycocotools counts an instance with the id 0 as never found."""
    metric, samples, path = case(in_order())
    expected = evaluate(metric, samples), metric.report
    path.write_text(json.dumps(renamed(json.loads(path.read_text()), name)))
    other = InstanceAP(str(path), "random", "val")
    samples = [entry | {"img_id": name("images", entry["img_id"])} for entry in samples]
    assert (evaluate(other, samples), other.report) == expected
    assert {row["image_id"] for row in other.predictions} <= {entry["img_id"] for entry in samples}


def test_fewer_classes_than_the_file_has(case):
    """A detector of two classes is measured on those two, whatever else the file holds."""
    classes = ("face", "dress")
    metric, _, path = case(shuffled())
    samples = predict(np.random.default_rng(4), json.loads(path.read_text()), classes)
    evaluate(metric, samples, classes)
    class_ids = [shuffled()[name] for name in classes]
    precision, stats = reference(path, samples, "segm", class_ids)
    ours = [metric.report["metrics"]["segm"][name] for name in SUMMARY_NAMES]
    assert [-1 if value is None else value for value in ours] == pytest.approx(list(stats[:6]), abs=1e-6)
    for index, name in enumerate(classes):
        assert metric.report["per_class"][name]["segm"]["AP"] == pytest.approx(mean(precision[:, :, index]), abs=1e-6)
    assert metric.report["instances"] == sum(row["instances"] for row in metric.report["per_class"].values())


def test_predictions_file_is_what_pycocotools_reads(case, tmp_path):
    out = tmp_path / "out" / "predictions.json"
    metric, samples, path = case(shuffled(), predictions_file=str(out))
    evaluate(metric, samples)
    rows = json.loads(out.read_text())
    assert rows == metric.predictions
    assert len(rows) == metric.report["predictions"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        for kind, dropped in (("bbox", "segmentation"), ("segm", "bbox")):
            read = truth.loadRes([{key: row[key] for key in row if key != dropped} for row in rows])
            evaluation = COCOeval(truth, read, kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            assert metric.report["metrics"][kind]["AP"] == pytest.approx(evaluation.stats[0], abs=1e-6)


def test_evaluating_twice_gives_the_same(case):
    """The validation loop evaluates the same metric after every epoch."""
    metric, samples, _ = case(in_order())
    first = evaluate(metric, samples), metric.report
    second = evaluate(metric, samples), metric.report
    assert first == second


def test_the_log_has_a_line_for_each_class(case):
    metric, samples, _ = case(in_order())
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        evaluate(metric, samples)
    finally:
        logger.removeHandler(handler)
    lines = {line.split()[1]: line.split()[3::2] for line in stream.getvalue().splitlines() if "│" in line}
    assert set(lines) == {*CLOTHING_CLASSES, "all"}
    total = metric.report["metrics"]
    numbers = [f"{total[kind][name]:.3f}" for kind in IOU_TYPES for name in ("AP", "AP50")]
    assert lines["all"] == [str(metric.report["instances"]), *numbers]
    assert lines["skirt"] == ["0", *["-"] * 6]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "does not exist"), ('{"images": [', "not whole JSON"), ('{"images": []}', "not a COCO annotation file")],
)
def test_a_bad_annotation_file_is_named_before_any_image(tmp_path, text, expected):
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=expected) as error:
        InstanceAP(str(path), "random", "val")
    assert str(path) in str(error.value)


def test_classes_that_the_file_lacks_are_named_before_any_image(case):
    _, _, path = case(in_order())
    path.write_text(path.read_text().replace('"name": "dress"', '"name": "gown"'))
    with pytest.raises(UserError, match="missing: 'dress'") as error:
        InstanceAP(str(path), "random", "val").dataset_meta = {"classes": CLOTHING_CLASSES}
    assert str(path) in str(error.value)


def test_images_of_another_set_are_named_at_the_first_batch(case):
    metric, _, path = case(in_order())
    metric.dataset_meta = {"classes": CLOTHING_CLASSES}
    with pytest.raises(UserError, match=r"image 7 .*instances\.json") as error:
        metric.process({}, [sample(7, [], [])])
    assert str(path) in str(error.value)


def test_only_the_images_that_were_predicted_are_judged(case):
    """`dataset.indices` tests on a part of the set: the other images are not misses."""
    metric, samples, path = case(in_order())
    scalars = evaluate(metric, samples[:6])
    content = json.loads(path.read_text())
    kept = {entry["img_id"] for entry in samples[:6]}
    content["images"] = [i for i in content["images"] if i["id"] in kept]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    path.write_text(json.dumps(content))
    part = InstanceAP(str(path), "random", "val")
    assert evaluate(part, samples[:6]) == scalars
    assert part.report == metric.report
    assert metric.report["images"] == 6
