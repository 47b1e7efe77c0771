"""Scores folders of try-on pictures of any method: SSIM, MS-SSIM, PSNR, LPIPS, FID and KID, with their protocol."""

from functools import partial
from pathlib import Path

from rich.console import Console

from seg_vton.errors import ToolParser, exit_on_user_error, height_by_width
from seg_vton.files import refuse_existing, write_json


def main() -> None:
    """Reads the arguments, scores, prints the table and writes the JSON."""
    parser = ToolParser(description=__doc__)
    parser.add_argument(
        "--results", nargs="+", type=Path, required=True, metavar="DIR", help="a folder of pictures for each method"
    )
    parser.add_argument("--truth", type=Path, required=True, metavar="DIR", help="folder of the persons' photographs")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="lines PERSON GARMENT, or RESULT PHOTOGRAPH")
    parser.add_argument("--unpaired", action="store_true", help="persons wear others' garments: only FID and KID")
    size = partial(height_by_width, least=11)
    parser.add_argument("--size", type=size, metavar="HxW", help="resize pictures to this, such as 256x192")
    rules, forms = ("bilinear", "bicubic", "lanczos"), ("rgb", "gray", "uniform")
    parser.add_argument("--resize", choices=rules, default="bilinear", help="filter that resizes (default: bilinear)")
    parser.add_argument("--ssim", choices=forms, default="rgb", help="form of SSIM (default: rgb); see docs/scoring.md")
    inception = "weights-inception-2015-12-05-6726825d.pth, for FID and KID"
    parser.add_argument("--inception", type=Path, metavar="FILE", help=inception)
    parser.add_argument("--alexnet", type=Path, metavar="FILE", help="alexnet-owt-7be5be79.pth, for LPIPS")
    parser.add_argument("--allow-missing", action="store_true", help="score what has a partner, and count the rest")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="file of the result")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing result")
    args = parser.parse_args()
    if args.out.is_dir():
        parser.error(f"--out {args.out} is a folder: name a file in it, such as scores.json")
    from seg_vton.tryon.metrics import scoring
    from seg_vton.tryon.metrics.networks import InceptionFeatures, PerceptualDistance

    with exit_on_user_error():
        refuse_existing(args.out, args.overwrite)
        protocol = scoring.Protocol(
            unpaired=args.unpaired,
            size=args.size,
            resize=args.resize,
            ssim=args.ssim,
            inception=None if args.inception is None else InceptionFeatures(args.inception),
            lpips=None if args.alexnet is None or args.unpaired else PerceptualDistance(args.alexnet),
        )
        report = scoring.score(args.results, args.truth, protocol, args.pairs, args.allow_missing)
        console = Console()
        console.print(scoring.table(report), width=console.width if console.is_terminal else 120)
        for line in scoring.protocol_lines(report):
            print(line)
        write_json(args.out, report, args.overwrite, indent=1)


if __name__ == "__main__":
    main()
