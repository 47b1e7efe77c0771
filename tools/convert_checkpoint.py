"""Writes a checkpoint's weights as safetensors, which hold no code, or as a plain state dict.

python tools/convert_checkpoint.py work_dirs/NAME/epoch_2.pth epoch_2.safetensors
python tools/convert_checkpoint.py epoch_2.safetensors epoch_2.pth

Optimizer state and log are left out; classes, config and seed are kept. Every tool takes both kinds.
"""

from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the one and writes the other."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkpoint: .pth or .safetensors")
    parser.add_argument("target", type=Path, help="file to write: .safetensors or .pth")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    args = parser.parse_args()
    from seg_vton.engine.checkpoint import convert

    with exit_on_user_error():
        convert(args.source, args.target, args.overwrite)


if __name__ == "__main__":
    main()
