"""DeepFashion In-shop (Liu et al., CVPR 2016), as mmdet lays it out, to checked COCO files with one kind of mask."""

from pathlib import Path

from seg_vton.coco import by_image, category_ids, read_coco, to_rle
from seg_vton.data.coco_files import CocoBuilder, Summary
from seg_vton.data.folders import find_folder, link_folder
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.progress import track

SPLITS = ("train", "query", "gallery")
_FILE = "DeepFashion_segmentation_"


def in_shop_root(source: str | Path) -> Path:
    """The folder with `Img/` and the annotations: `source` or `source/In-shop`."""
    source = Path(source)
    return source / "In-shop" if (source / "In-shop").is_dir() else source


def convert_deepfashion(source: str | Path, out: str | Path, overwrite: bool = False) -> list[Summary]:
    """Writes `out/annotations/instances_{train,query,gallery}.json` and makes `out/Img` point to the images.

    Categories are matched by name and written in class order; polygons and uncompressed RLE become compressed RLE;
    boxes and areas are taken from the masks. mmdet's convention is to train on train, validate on query and test on
    gallery. Image files are not read here: `check_data` does that. `source` is `DeepFashion` or `DeepFashion/In-shop`.
    Returns a summary for each split that was found.
    """
    root, out = in_shop_root(source), Path(out)
    places = ("Anno/segmentation", "Anno", "annotations")  # the first is mmdet's
    found = ({split: root / place / f"{_FILE}{split}.json" for split in SPLITS} for place in places)
    there = ({split: path for split, path in files.items() if path.is_file()} for files in found)
    inputs = next(filter(None, there), None)
    if inputs is None:
        raise UserError(
            f"{root}: no {_FILE}{{{','.join(SPLITS)}}}.json in {', '.join(places)}. The masks are a download of their "
            "own: mmfashion's page on the In-shop data set says where"
        )
    targets = {split: out / "annotations" / f"instances_{split}.json" for split in inputs}
    for target in targets.values():
        refuse_existing(target, overwrite)
    images = find_folder(root, ("Img",))
    builders = {split: convert_annotations(path, split) for split, path in inputs.items()}
    link_folder(images, out / "Img")
    return [builder.write(targets[split], overwrite) for split, builder in builders.items()]


def convert_annotations(path: str | Path, name: str) -> CocoBuilder:
    """Reads one COCO file of the 15 classes, whatever the order of its categories and the form of its masks.

    `name` is the split's. A `UserError` of a broken file names the image and the annotation.
    """
    content = read_coco(path)
    labels = {key: n for n, key in enumerate(category_ids(content, CLOTHING_CLASSES, path).values(), 1)}
    instances = by_image(content, path, labels)
    builder = CocoBuilder(name)
    for image in track(content["images"], f"{name}: masks"):
        size = image["width"], image["height"]
        image_id = builder.add_image(image["file_name"], *size)
        for annotation in instances[image["id"]]:
            category_id = labels[annotation["category_id"]]
            try:
                rle = to_rle(annotation.get("segmentation"), *size)
            except ValueError as error:
                raise UserError(f"{image['file_name']}, annotation {annotation['id']}: {error}") from None
            if rle is None:
                builder.dropped[f"{CLOTHING_CLASSES[category_id - 1]}: no mask"] += 1
            else:
                builder.add_rle(image_id, category_id, rle, annotation["iscrowd"])
    return builder
