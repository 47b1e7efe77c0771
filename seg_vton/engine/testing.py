"""One test run: a config, a checkpoint, and the result file beside it."""

import os
from pathlib import Path
from statistics import median

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from seg_vton.engine import launch, results
from seg_vton.engine.configs import blamed_on_config
from seg_vton.engine.halves import half_of
from seg_vton.engine.hooks import CheckpointFitHook
from seg_vton.engine.samples import explain_faults
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing


def run(config: Config, checkpoint: str | Path, out: str | None = None, overwrite: bool = False) -> Path:
    """Tests a checkpoint, logs the metrics and writes them as JSON beside it; returns the path of the first file.

    Each evaluator has a file of its own.

    Args:
        config: the resolved config; its test loader and evaluator decide what is tested.
        checkpoint: a file that `tools/train.py` wrote, or any state dict of the model.
        out: where the predictions are written to, as the config's half says (`Half.set_output`). None writes none.
        overwrite: whether existing files may be replaced.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_file():
        raise UserError(f"checkpoint {checkpoint} does not exist or is not a file")
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    for each in evaluators:
        if not {"dataset", "split"} <= set(each):
            raise UserError(
                f"{config.filename}: test_evaluator {each.get('type')} does not say what its result is called: it "
                "needs dataset='NAME' and split='test', which InstanceAP, for one, takes in the place of CocoMetric"
            )
    if not os.access(checkpoint.parent, os.W_OK):
        raise UserError(f"{checkpoint.parent} cannot be written to, and results go there: link or copy the checkpoint")
    ending = "-tta" if "module" in config.model else ""
    paths = [results.result_path(checkpoint, each.dataset, each.split + ending) for each in evaluators]
    for path in paths:
        refuse_existing(path, overwrite)
    half = half_of(config)
    facts = {
        "config": Path(config.filename).stem,
        "config_sha256": results.config_hash(config),
        "row": half.describe_row(config, results.trained_config(checkpoint)),
    }
    dumps = half.set_output(config, out, overwrite) if out else []
    config.load_from, config.resume = str(checkpoint), False
    runner = launch.build_runner(config)
    runner.register_hook(CheckpointFitHook(str(checkpoint)))
    runner.test_evaluator.metrics.extend(dumps)
    facts |= half.more_facts(config)
    with explain_faults(), blamed_on_config(config):
        runner.test()
    # By the median iteration, loading included and what metrics compute after the last image not.
    seconds, loader = runner.message_hub.log_scalars.get("test/time"), runner.test_loop.dataloader
    rate = None if seconds is None else len(loader.dataset) / len(loader) / float(median(seconds.data[0]))
    facts["images_per_second"] = rate
    if is_main_process():
        for path, metric in zip(paths, runner.test_evaluator.metrics, strict=False):  # behind them `set_output`'s
            results.write_result(path, metric.report, facts, checkpoint, overwrite)
            print_log(f"result written to {path}", logger="current")
    return paths[0]
