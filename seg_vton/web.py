"""A page in the browser: photos in, their parsing maps and people in other clothes out."""

import html
import os
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before the import, which reads it

import gradio as gr
import numpy as np
from PIL import Image

from seg_vton.apis import ClothingParser, TryOn, TryOnResult
from seg_vton.data.paper_doll import draw_doll
from seg_vton.engine.model_folder import read_parts
from seg_vton.errors import UserError
from seg_vton.files import write_json
from seg_vton.labels import LabelSpace, get_space, save_palette_png
from seg_vton.pictures.images import resized
from seg_vton.pictures.photos import limited, read_cutout, read_photo
from seg_vton.pose import Poses, openpose_json
from seg_vton.pose.backends import keypoint_rcnn_url
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.inference.panel import with_joints
from seg_vton.tryon.inference.person import Person
from seg_vton.tryon.inference.run import people_of
from seg_vton.tryon.visualization import agnostic_parts

UPLOAD = "50mb"
"""The largest file that is taken."""

_SHOWN = 1024  # pixels of the longer side of the parsing map over the photo
_DAY = 24 * 3600  # seconds after which files go whose visitor has not been seen to leave
_DOLLS, _DOLL_SIZE = (4, 6, 1, 5), (384, 512)
_PROGRESS = gr.Progress()
_INTRODUCTION = """# Clothing segmentation and virtual try-on
Everything runs on the computer that serves this page. Your pictures go nowhere else, and are deleted when you leave."""
_CSS = """
.legend {list-style: none; padding: 0; columns: 10em}
.steps .grid-wrap {max-height: none !important}
@media (max-width: 640px) {.steps .grid-container {grid-template-columns: 1fr 1fr !important}}
.legend span {display: inline-block; width: 1em; height: 1em; margin-right: .4em; vertical-align: -.1em}
"""


class Studio:
    """What the page's buttons do, and the files of its visitors.

    Args:
        parser: the segmenter.
        try_on: what dresses; None for a page that only parses.
        poses: where joints come from when the visitor gives none.
        folder: of all files.
    """

    def __init__(self, parser: ClothingParser, try_on: TryOn | None, poses: Poses, folder: Path) -> None:
        self.parser, self.try_on, self.poses, self.folder = parser, try_on, poses, folder
        self._lock = Lock()
        # By the name of a session, which the browser chooses: no part of a path.
        self._made: defaultdict[str | None, Path] = defaultdict(lambda: Path(tempfile.mkdtemp(dir=folder)))
        self._uploads: defaultdict[str | None, set[str]] = defaultdict(set)

    def parse(self, photo: str | None, request: gr.Request, progress: gr.Progress = _PROGRESS) -> list[Any]:
        """Parses a photo: what the page shows then, see `_show`."""
        with self._answer(request, photo) as out:
            progress(0.1, "reading the photo")
            pixels = read_photo(_given(photo, "photo"))
            progress(0.3, "looking for clothes")
            label_map = self.parser(pixels).label_map()
            progress(0.9, "drawing")
            return self._show(out, pixels, label_map, self.parser.space, self.parser.stamp)

    def dress(
        self,
        photo: str | None,
        garment: str | None,
        keypoints: str | None,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> list[Any]:
        """Dresses the person of a photo in a garment: what the page shows then, see `_show`."""
        with self._answer(request, photo, garment, keypoints) as out:
            progress(0.1, "reading the photos")
            pixels = read_photo(_given(photo, "photo"))
            cloth, alpha = read_cutout(_given(garment, "garment"))
            progress(0.2, "looking for the person")
            person = self.try_on.person(pixels, people_of(self.poses, keypoints and Path(keypoints), pixels))
            progress(0.5, "cutting out the garment")
            thing = self.try_on.garment(cloth, alpha=alpha)
            progress(0.7, "trying on")
            result = self.try_on(person, thing)
            progress(0.9, "drawing")
            parsed = person.full_label_map(), get_space(person.space), self.try_on.stamp
            steps = self._steps(person, thing, result)
            return self._show(out, pixels, *parsed, result.warnings, result.image, steps)

    def _steps(self, person: Person, garment: Garment, result: TryOnResult) -> dict[str, np.ndarray]:
        """What a try-on was made by: captions and pictures, uint8."""
        known = agnostic_parts(self.try_on.inputs(person, garment)[0]["agnostic"][0])
        return {
            f"garment: {garment.source}": garment.picture,
            "joints used": with_joints(person),
            **{f"person: {caption}": picture for caption, picture in known},
            "warped garment": result.warped_cloth,
            "composition mask": result.mask,
        }

    def _show(
        self,
        out: Path,
        photo: np.ndarray,
        label_map: np.ndarray,
        space: LabelSpace,
        stamp: dict[str, Any],
        warnings: Sequence[str] = (),
        dressed: np.ndarray | None = None,
        steps: dict[str, np.ndarray] | None = None,
    ) -> list[Any]:
        """Writes everything to `out` and an archive beside it; the values of the page's outputs, in their order.

        Args:
            out: an empty folder.
            photo: RGB uint8 `(H, W, 3)`.
            label_map: uint8 ids of `space` `(H, W)`.
            space: its label space.
            stamp: what the models are.
            warnings: what the visitor should know.
            dressed: RGB uint8 `(H, W, 3)`, the try-on, or None.
            steps: captions and pictures.
        """
        palette, seen = np.array(space.palette, np.uint8), limited(photo, _SHOWN)
        small = resized(label_map, seen.shape[:2], Image.Resampling.NEAREST)
        overlay = np.where(small[..., None] > 0, seen // 2 + palette[small] // 2, seen)
        shares = np.bincount(label_map.ravel(), minlength=len(space.classes)) / label_map.size
        found = {space.classes[i]: float(shares[i]) for i in np.argsort(-shares) if i and shares[i]}
        if not found:
            warnings = (*warnings, "nothing was found in the photo: give one of a dressed person, not too small")
        save_palette_png(out / "parsing.png", label_map, space.name)
        write_json(out / "record.json", {"shares": found, "warnings": list(warnings), "models": stamp}, indent=1)
        shown = _save(out / "parsing-over-photo.png", overlay)
        slider = dressed is not None and (_save(out / "photo.png", photo), _save(out / "try-on.png", dressed))
        gallery = [
            (_save(out / f"{caption.replace(':', '').replace(' ', '-')}.png", picture), caption)
            for caption, picture in (steps or {}).items()
        ]
        archive = shutil.make_archive(str(out.with_name(f"{out.name}-seg-vton")), "zip", out)
        words = "\n".join(["**Please note**", "", *(f"- {warning}" for warning in warnings)] if warnings else ())
        legend = "".join(
            f'<li><span style="background: rgb{space.palette[space.classes.index(name)]}"></span>'
            f"{html.escape(name)} {f'{share:.1%}' if share >= 0.001 else 'below 0.1%'}</li>"
            for name, share in found.items()
        )
        return [
            gr.Column(visible=True),
            gr.Markdown(words, visible=bool(words)),
            shown,
            f"<ul class='legend'>{legend}</ul>",
            gr.Column(visible=bool(slider)),
            slider or None,
            gallery,
            archive,
        ]

    @contextmanager
    def _answer(self, request: gr.Request, *uploads: str | None) -> Iterator[Path]:
        """Yields a folder for what answers a visitor, one at a time; the visitor's earlier ones go.

        A `UserError` is said on the page, where uploads have their own names.
        """
        with self._lock:
            own = self._made[request.session_hash]
            earlier = list(own.iterdir())
            out = Path(tempfile.mkdtemp(dir=own))
            try:
                yield out
            except UserError as error:
                shutil.rmtree(out)
                message = str(error)
                for path in filter(None, uploads):
                    message = message.replace(path, Path(path).name)
                raise gr.Error(html.escape(message), duration=None, print_exception=False) from None
            for path in earlier:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def note(self, photo: str | None, garment: str | None, keypoints: str | None, request: gr.Request) -> None:
        """Remembers what a visitor uploads."""
        self._uploads[request.session_hash].update(filter(None, (photo, garment, keypoints)))

    def leave(self, request: gr.Request) -> None:
        """Deletes a visitor's files; an upload has one file for all visitors with the same, and the last takes it."""
        with self._lock:
            if (made := self._made.pop(request.session_hash, None)) is not None:
                shutil.rmtree(made)
            mine = self._uploads.pop(request.session_hash, set())
            for path in map(Path, mine.difference(*self._uploads.values())):
                if self.folder / "examples" not in path.parents:
                    path.unlink(missing_ok=True)


def _given(path: str | None, what: str) -> Path:
    if path is None:
        raise UserError(f"there is no {what}: upload one, take one or choose an example")
    return Path(path)


def _save(path: Path, picture: np.ndarray) -> str:
    Image.fromarray(picture).save(path, compress_level=1)  # large ones take seconds otherwise
    return str(path)


def _upload(label: str, name: str) -> gr.Image:
    """A field for a picture that hands over the file as it is: `read_photo` decodes it, and says what is wrong."""
    field = gr.Image(label=label, elem_id=name, type="filepath", image_mode=None, height=360, buttons=[])
    field.preprocess = lambda payload: payload and payload.path
    return field


def draw_examples(folder: Path, garments: Sequence[Path]) -> tuple[list[list[str]], list[str]]:
    """Draws dolls: lists of [photo, keypoint file], and of garments, those of two dolls and `garments`."""
    folder.mkdir()
    dolls, flats = [], []
    for number in _DOLLS:
        doll, name = draw_doll(0, number, _DOLL_SIZE, try_on=True), folder / f"doll-{number}"
        write_json(Path(f"{name}.json"), openpose_json(doll.keypoints))
        dolls.append([_save(Path(f"{name}.png"), doll.image), f"{name}.json"])
        flats.append(_save(Path(f"{name}-garment.png"), doll.cloth))
    return dolls, [*flats[:2], *(shutil.copy(path, folder) for path in garments)]


def build_page(studio: Studio, garments: Sequence[Path] = (), note: str = "") -> gr.Blocks:
    """The page, with dolls and photos of `garments` as examples and a `note` on top; its files are in the studio's."""
    os.environ["GRADIO_TEMP_DIR"] = str(studio.folder)
    dolls, flats = draw_examples(studio.folder / "examples", garments)
    dresses = studio.try_on is not None
    with gr.Blocks(title="seg-vton", analytics_enabled=False, delete_cache=(3600, _DAY)) as page:
        gr.Markdown(_INTRODUCTION)
        gr.Markdown(note, visible=bool(note))
        with gr.Row():
            with gr.Column(min_width=280):
                photo = _upload("photo of a person", "photo")
                said = "keypoints, if you have them (OpenPose's JSON)"
                keypoints = gr.File(label=said, elem_id="keypoints", render=False, height=130)
                gr.Examples(dolls, [photo, keypoints], label="drawn people", visible_columns=[0])
                with gr.Accordion("pose", open=False, visible=dresses):
                    keypoints.render()
            with gr.Column(min_width=280, visible=dresses):
                garment = _upload("photo of a garment", "garment")
                gr.Examples(flats, garment, label="garments")
        with gr.Row():
            parse = gr.Button("Parse", variant="secondary" if dresses else "primary")
            dress = gr.Button("Try on", variant="primary", visible=dresses)
        with gr.Column(visible=False) as results:
            words = gr.Markdown(visible=False)
            with gr.Column(visible=False) as try_on:
                slider = gr.ImageSlider(label="before and after", elem_id="try-on", buttons=[], max_height=800)
            with gr.Row():
                overlay = gr.Image(label="parsing map over the photo", buttons=["fullscreen"], min_width=280)
                with gr.Column(min_width=280):
                    legend = gr.HTML()
                    archive = gr.DownloadButton("Download everything (zip)")
            steps = gr.Gallery(
                label="how it was made",
                columns=4,
                object_fit="contain",
                height="auto",
                buttons=[],
                elem_classes="steps",
            )
        outputs = [results, words, overlay, legend, try_on, slider, steps, archive]
        alone = {"concurrency_limit": 1, "concurrency_id": "models", "show_progress_on": photo}
        parse.click(studio.parse, photo, outputs, **alone)
        dress.click(studio.dress, [photo, garment, keypoints], outputs, **alone)
        given = [photo, garment, keypoints]
        gr.on([field.change for field in given], studio.note, given, queue=False, show_progress="hidden")
        photo.input(lambda: None, None, keypoints, queue=False, show_progress="hidden")  # they are of the last photo
        page.unload(studio.leave)
    return page


def launch(page: gr.Blocks, host: str, port: int | None = None) -> str:
    """Starts the page's server, at the first free port from 7860 on where none is given, and returns its address."""
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    off = dict.fromkeys(("share", "run_history", "ssr_mode", "enable_monitoring"), False)
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    # Gradio asks its server whether it runs, which a proxy does not know.
    os.environ["no_proxy"] = ",".join(filter(None, (direct, "localhost", "127.0.0.1", host)))
    look = {"theme": theme, "css": _CSS, "footer_links": [], "quiet": True}
    try:
        # At an address that is not this machine's Gradio tries a hundred ports, five seconds each.
        family, *_, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        socket.create_server((address[0], port or 0), family=family).close()
        return page.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, max_file_size=UPLOAD, **look, **off
        )[1]
    except (OSError, OverflowError) as error:  # the latter of a port beyond 65535
        raise UserError(f"the page cannot be shown at --host {host} --port {port or '7860 and on'}: {error}") from error


def find_poses(source: str, models: Sequence[str] | None, device: str | None) -> tuple[Poses, str]:
    """Where joints come from, see `Poses`, and what visitors should know of it.

    Where nobody asked for an estimator and none can be loaded, people are dressed without joints; the console says why.
    """
    poses = Poses(source, models, device)
    if poses.folder:
        raise UserError("--pose DIR is not for the page, where visitors give the keypoints of their photos")
    try:
        poses.load()
    except UserError as error:
        if source != "auto" or models:
            raise
        file = Path(address := keypoint_rcnn_url()).name
        note = (
            "No pose estimator could be loaded: people are dressed without joints, which makes results worse. Give "
            f'keypoints of your photo under "pose", or download {address} and start the page with '
            f"`--pose-models {file}` or `make web POSE={file}`."
        )
        print(f"note: {note} The reason: {error.__cause__ or error}", flush=True)
        return Poses("none"), note
    return poses, ""


def serve(
    models: str | Path,
    pose: str,
    pose_models: Sequence[str] | None,
    device: str | None,
    garments: Sequence[Path],
    host: str,
    port: int | None,
) -> None:
    """Loads a model folder and shows the page until it is interrupted; its files are in a folder that goes then.

    Args:
        models: folder of a segmenter, and perhaps of GMM and TOM, with which the page dresses.
        pose: what estimates joints where visitors give none, see `find_poses`; a page that only parses needs nothing.
        pose_models: its files.
        device: a torch device; None takes the GPU where there is one.
        garments: photos of garments to choose from.
        host: see `launch`.
        port: likewise.
    """
    try_on = TryOn.load(models, device) if {"gmm", "tom"} <= read_parts(models).keys() else None
    parser = try_on.parser if try_on else ClothingParser.load(models, device)
    poses, note = find_poses(pose, pose_models, device) if try_on else (Poses("none"), "")
    with tempfile.TemporaryDirectory(prefix="seg-vton-") as files:
        page = build_page(Studio(parser, try_on, poses, Path(files).resolve()), garments, note)
        print(f"the page is at {launch(page, host, port)} (Ctrl-C ends it)", flush=True)
        page.block_thread()
