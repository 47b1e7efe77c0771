"""From trained models to a model folder."""

from collections.abc import Sequence
from pathlib import Path

from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import write_folder
from seg_vton.errors import UserError
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.tryon.predictor import TryOn


def export(
    out: str | Path,
    segmenter: tuple[str | Path, str | Path],
    gmm: tuple[str | Path, str | Path] | None = None,
    tom: tuple[str | Path, str | Path] | None = None,
    half: bool = False,
    results: Sequence[str | Path] = (),
    licenses: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Writes a model folder of a segmenter alone, or of all three models; each is a config and its checkpoint.

    The models are built first, so that what is exported works. For the other arguments and errors see `write_folder`.
    """
    if (gmm is None) != (tom is None):
        raise UserError("--gmm and --tom go together: neither is of use without the other")
    sources = {"segmenter": segmenter} if gmm is None else {"segmenter": segmenter, "gmm": gmm, "tom": tom}
    pairs = {name: (load_config(config), checkpoint) for name, (config, checkpoint) in sources.items()}
    parser = ClothingParser(*pairs["segmenter"], "cpu")
    facts = {"segmenter": {"classes": list(parser.classes), "score_thr": parser.score_thr}}
    if gmm is not None:
        size = list(TryOn(parser, pairs["gmm"], pairs["tom"], "cpu").image_size)
        facts |= {"gmm": {"image_size": size}, "tom": {"image_size": size}}
        # Only training needs them: the warper is the GMM here, the loss a large network.
        pairs["tom"][0].model.update(warper=None, loss_perceptual=None)
    parts = {name: (*pair, facts[name]) for name, pair in pairs.items()}
    write_folder(out, parts, half, results, licenses, overwrite)
