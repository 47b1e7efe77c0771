"""Prints Markdown tables of results, or puts them into documents.

  ablation_table.py work_dirs --per-class                    full tables, and where each number comes from
  ablation_table.py work_dirs --metrics "segm AP" SSIM       a small table of these numbers
  ablation_table.py work_dirs --changes "decoder=CONFIG:CONFIG"   what changes from one row to another
  ablation_table.py docs/results/benchmark_cpu.json          what tools/benchmark.py measured
  ablation_table.py --fill README.md docs/results.md         make every table of these files again

A table of a document is between `<!-- table: ARGUMENTS -->` and `<!-- /table -->`; the arguments are those of this
tool, with paths relative to the document.
"""

from seg_vton.analysis import tables
from seg_vton.errors import ToolParser, UserError, exit_on_user_error
from seg_vton.files import write_text


def main() -> None:
    """Prints, writes or fills."""
    parser = ToolParser(description=__doc__)
    tables.add_arguments(parser)
    parser.add_argument("--fill", action="store_true", help="PATHs are Markdown files: make their tables again")
    parser.add_argument("--out", metavar="FILE", help="write to a file instead of printing")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE")
    args = parser.parse_args()
    with exit_on_user_error():
        if args.fill:
            if any((args.where, args.metrics, args.changes, args.all_rows, args.per_class, args.out)):
                raise UserError("--fill takes no other option: the documents say what their tables show")
            for path in args.paths:
                tables.fill(path)
            return
        text = tables.render(args) + "\n"
        if args.out:
            write_text(args.out, text, args.overwrite)
        else:
            print(text, end="")


if __name__ == "__main__":
    main()
