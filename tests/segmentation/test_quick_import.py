"""mmdet's data sets without the libraries that only a fork's lane detection needs."""

import sys

import pytest

from seg_vton.segmentation.quick_import import LateModule


def test_a_late_module_is_the_module_when_it_is_called(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    late = LateModule("colorsys")
    convert = late.rgb_to_hsv
    assert "colorsys" not in sys.modules
    assert convert(1, 0, 0) == (0, 1, 1)
    assert "colorsys" in sys.modules
    assert not hasattr(late, "__path__")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        late.nothing()
