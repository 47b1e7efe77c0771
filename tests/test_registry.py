"""The try-on half's registries: children of mmengine's, found whatever scope a process runs in."""

import pytest
from mmengine import registry as root
from mmengine.registry import DefaultScope

from seg_vton import registry
from seg_vton.tryon.models import GMM, L1Loss


def test_names_are_looked_up_here_first_and_then_at_the_root():
    assert registry.MODELS.parent is root.MODELS
    assert registry.MODELS.get("GMM") is GMM
    assert registry.HOOKS.get("EpochSeedHook") is root.HOOKS.get("EpochSeedHook")
    assert root.MODELS.get("seg_vton.GMM") is GMM
    assert root.MODELS.get("GMM") is None


@pytest.mark.parametrize("scope", ["mmdet", "seg_vton", None])
def test_models_are_built_in_a_process_of_either_half(scope):
    if scope:
        DefaultScope.get_instance(f"test_{scope}", scope_name=scope)
    model = registry.build_model(dict(type="GMM", image_size=(64, 64), base_channels=2, loss_warp=dict(type="L1Loss")))
    assert isinstance(model.loss_warp, L1Loss)
    assert isinstance(GMM(image_size=(64, 64), base_channels=2).loss_warp, L1Loss)


@pytest.mark.parametrize("name", ["OPTIMIZERS", "OPTIM_WRAPPERS", "PARAM_SCHEDULERS", "LOG_PROCESSORS", "VISBACKENDS"])
def test_what_mmengine_builds_in_our_scope_is_found_without_a_warning(name):
    """mmengine warns for each registry that the default scope has no child of."""
    parent = getattr(root, name)
    with parent.switch_scope_and_registry("seg_vton") as searched:
        assert searched.scope == "seg_vton"
        assert searched.parent is parent
