"""Writes trained models as one folder that the other tools take as --models DIR, or a segmenter as an ONNX file.

python tools/export.py --segmenter CONFIG CHECKPOINT --out DIR --half --results RESULT.json --license Apache-2.0
python tools/export.py --segmenter CONFIG CHECKPOINT --gmm CONFIG CHECKPOINT --tom CONFIG CHECKPOINT --out DIR
python tools/export.py --models DIR --onnx parser.onnx --photos me.jpg you.jpg

DIR holds model.json, the weights as safetensors, and README.md, the model card: read it before you publish the folder.
Nothing in the folder is run when it is loaded. A segmenter alone is a valid folder.

The ONNX file takes a photo and gives its label map. The JSON beside it says what the file is and how far it differs
from PyTorch. The segmenter is that of --out, --models or --segmenter, or else the packaged one.
"""

import argparse

from seg_vton.errors import ToolParser, exit_on_user_error

DOLLS = ((192, 256), (300, 300), (250, 600), (600, 800))
"""Width and height of the drawn photos on which an ONNX file is checked where no others are given."""


def main() -> None:
    """Writes the folder, the ONNX file or both."""
    parser = ToolParser(description=__doc__)
    for model in ("segmenter", "gmm", "tom"):
        parser.add_argument(f"--{model}", nargs=2, metavar=("CONFIG", "CHECKPOINT"))
    parser.add_argument("--out", metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--half", action="store_true", help="weights as float16: half the size, results nearly the same"
    )
    results = "results of tools/test.py for these checkpoints: numbers for the card"
    parser.add_argument("--results", nargs="+", default=[], metavar="JSON", help=results)
    licenses = "license of the training data, such as Apache-2.0: one for all parts, or one each"
    parser.add_argument("--license", nargs="+", default=[], metavar="TEXT", help=licenses)
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--onnx", metavar="FILE", help="write the segmenter as ONNX, from a photo to its label map")
    parser.add_argument("--models", metavar="DIR", help="for --onnx: model folder of the segmenter")
    checked = "for --onnx: photos on which the file is compared with PyTorch (default: drawn persons)"
    parser.add_argument("--photos", nargs="+", metavar="PHOTO", help=checked)
    args = parser.parse_args()
    if not (args.out or args.onnx) or (args.out and not args.segmenter):
        parser.error("give --segmenter CONFIG CHECKPOINT --out DIR for a model folder, or --onnx FILE")
    if not args.out and (args.gmm or args.tom or args.half or args.results):
        parser.error("--gmm, --tom, --half and --results are for a model folder: give --out DIR too")
    if args.models and (args.segmenter or not args.onnx):
        parser.error("--models names the segmenter of --onnx FILE: give it there, and no --segmenter beside it")
    if args.photos and not args.onnx:
        parser.error("--photos are for the check of an ONNX file: give --onnx FILE too")
    if args.license and not args.segmenter:
        parser.error("--license is of a segmenter that is given here; the file of a model folder has the folder's")
    from seg_vton.tryon.export import export

    with exit_on_user_error():
        if args.out:
            export(args.out, args.segmenter, args.gmm, args.tom, args.half, args.results, args.license, args.overwrite)
            print(f"exported to {args.out}: read the card {args.out}/README.md before you pass the folder on")
        if args.onnx:
            _write_onnx(args)


def _write_onnx(args: argparse.Namespace) -> None:
    from seg_vton.data.paper_doll import draw_doll
    from seg_vton.engine.model_folder import packaged_folder, read_part
    from seg_vton.parsing.onnx_export import export_onnx
    from seg_vton.parsing.predictor import ClothingParser
    from seg_vton.pictures.photos import read_photo

    if args.segmenter and not args.out:
        segmenter, data = ClothingParser(*args.segmenter, "cpu"), {"license": " ".join(args.license) or None}
    else:
        folder = args.out or (packaged_folder() if args.models is None else args.models)
        segmenter, data = ClothingParser.load(folder, "cpu"), read_part(folder, "segmenter").fact("data")
    photos = [read_photo(path) for path in args.photos or ()]
    photos = photos or [draw_doll(0, index, size).image for index, size in enumerate(DOLLS)]
    record = export_onnx(segmenter, args.onnx, photos, data, args.overwrite)
    if record["check"]:
        said = f"differs from PyTorch in {record['check']['mean']:.3%} of the pixels of {len(photos)} photos"
    else:
        said = "was not checked, since onnxruntime is not installed: pip install onnxruntime"
    print(f"{args.onnx} takes a photo and gives its {record['map']} label map; it {said}")


if __name__ == "__main__":
    main()
