"""Shows a page in the browser that parses photos and, if the model folder has GMM and TOM, tries garments on.

python tools/web.py --models DIR

The page is at http://127.0.0.1:7860, or the next free port. Only this computer can open it.
"""

from pathlib import Path

from seg_vton.errors import ToolParser, UserError, exit_on_user_error
from seg_vton.parsing.options import MODELS
from seg_vton.pose import add_pose_options

GARMENTS = Path(__file__).parents[1] / "docs" / "images" / "garments"


def main() -> None:
    """Loads the models and shows the page until Ctrl-C."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("--models", metavar="DIR", help=MODELS)
    add_pose_options(parser)
    parser.add_argument("--device", help="torch device (default: the GPU if there is one)")
    host = "address to listen at; 0.0.0.0 lets the whole network in, without a password (default: %(default)s)"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    parser.add_argument("--port", type=int, help="default: the first free one from 7860 on")
    args = parser.parse_args()
    with exit_on_user_error():
        try:
            from seg_vton.web import serve
        except ModuleNotFoundError as error:
            if error.name != "gradio":
                raise
            raise UserError(
                'the page needs Gradio 6: `make web` installs it, and so does `pip install -e ".[web]"`'
            ) from None
        from seg_vton.engine.model_folder import packaged_folder

        models = packaged_folder() if args.models is None else args.models
        garments = sorted(GARMENTS.glob("*.jpg"))
        serve(models, args.pose, args.pose_models, args.device, garments, args.host, args.port)


if __name__ == "__main__":
    main()
