"""The registries of the try-on half: children of mmengine's, in the scope `seg_vton`.

A config says `default_scope = "seg_vton"`: a name is looked up here first, then in mmengine's. What both halves use
(hooks of `seg_vton.engine`, say) is registered at mmengine's root, where either half finds it.
"""

from __future__ import annotations

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
