"""The registries of the try-on half: children of mmengine's, in the scope `seg_vton`.

A config says `default_scope = "seg_vton"`: a name is looked up here first, then in mmengine's. What both halves use
(hooks of `seg_vton.engine`, say) is registered at mmengine's root, where either half finds it.
"""

from typing import Any

from mmengine import registry as root
from mmengine.registry import Registry


def _child(name: str, parent: Registry) -> Registry:
    # The one location: importing `seg_vton.tryon` imports all its parts.
    return Registry(name, parent=parent, scope="seg_vton", locations=["seg_vton.tryon"])


MODELS = _child("model", root.MODELS)
DATASETS = _child("dataset", root.DATASETS)
DATA_SAMPLERS = _child("data sampler", root.DATA_SAMPLERS)
TRANSFORMS = _child("transform", root.TRANSFORMS)
METRICS = _child("metric", root.METRICS)
HOOKS = _child("hook", root.HOOKS)
LOOPS = _child("loop", root.LOOPS)
VISUALIZERS = _child("visualizer", root.VISUALIZERS)

# Nothing of ours is in these. Without a child of the scope mmengine searches the root all the same, but warns.
for _parent in (
    root.EVALUATOR,
    root.LOG_PROCESSORS,
    root.OPTIM_WRAPPERS,
    root.OPTIM_WRAPPER_CONSTRUCTORS,
    root.OPTIMIZERS,
    root.PARAM_SCHEDULERS,
    root.RUNNERS,
    root.VISBACKENDS,
    root.WEIGHT_INITIALIZERS,
):
    _child(_parent.name, _parent)


def build_model(config: dict[str, Any]) -> Any:
    """Builds a model or a part of one by its name here or at mmengine's root, whatever the process's default scope is.

    A process that parses clothing and dresses people has models of both halves, and mmdet's scope may be the default.

    Args:
        config: `dict(type=..., ...)`.
    """
    return MODELS.build({"_scope_": "seg_vton", **config})
