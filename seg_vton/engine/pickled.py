"""What a checkpoint may hold beside tensors and plain containers, as stand-ins that can do no more than that takes.

torch's weights-only unpickler finds an allowed global by the name that its `__module__` and `__name__` give. So each
stand-in here carries the name of what it replaces, and the original is never reachable from a file.
"""

import math
from collections.abc import Callable
from functools import cache
from pickle import UnpicklingError
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

_LOG_STATISTICS = ("min", "max", "current", "mean")
_NUMBERS = frozenset(np.dtype(code).str[1:] for code in "?" + np.typecodes["AllInteger"] + np.typecodes["Float"])


def _refuse(call: str) -> UnpicklingError:
    return UnpicklingError(f"the file asks for {call}, which is not allowed")


def _history_buffer_statistic(owner: type, name: str) -> Callable[..., float]:
    """Stands in for `getattr`: only mmengine's four log statistics can be reached.

    `HistoryBuffer` pickles its class's functions as `getattr(HistoryBuffer, 'mean')`; the real `getattr` would let a
    file walk from any allowed object to any other.
    """
    if owner is not HistoryBuffer or name not in _LOG_STATISTICS:
        raise _refuse(f"getattr({owner!r}, {name!r})")
    return getattr(HistoryBuffer, name)


class _Number:
    """Stands in for `numpy.dtype`: a type of number and its byte order.

    numpy's own `dtype.__setstate__` believes whatever flags and fields a file gives it, and can so be made to take an
    array's bytes for pointers.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if code not in _NUMBERS:
            raise _refuse(f"numpy.dtype({code!r})")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Takes the byte order out of numpy's state and refuses all that plain numbers do not have."""
        _, order, *rest = state
        if order not in ("<", ">", "|", "=") or rest != [None, None, None, -1, -1, 0]:  # subarray ... flags
            raise _refuse(f"numpy.dtype.__setstate__({state!r})")
        self.dtype = self.dtype.newbyteorder(order)

    def read(self, content: bytes, count: int) -> np.ndarray:
        """The `count` numbers in `content`, which must fill it."""
        if not isinstance(content, bytes) or len(content) != count * self.dtype.itemsize:
            raise UnpicklingError("the bytes of an array do not fit its shape")
        return np.frombuffer(content, self.dtype).copy()


class _Array(np.ndarray):
    """Stands in for `numpy.ndarray`: an array of numbers, and it is written as numpy's own."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Checks numpy's state (version, shape, dtype, whether columns come first, bytes), then takes it."""
        _, shape, number, columns_first, content = state
        values = number.read(content, math.prod(shape)).reshape(shape, order="F" if columns_first else "C")
        super().__setstate__(np.asarray(values).__reduce__()[2])

    def __reduce__(self) -> tuple[Any, ...]:
        """As a plain array, so that a resumed training writes what a first one writes."""
        return self.view(np.ndarray).__reduce__()


def _new_array(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """Stands in for `numpy._core.multiarray._reconstruct`: an empty array, to be filled by `__setstate__`."""
    if kind is not _Array:
        raise _refuse(f"numpy's _reconstruct({kind!r})")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _scalar(number: _Number, content: bytes) -> np.generic:
    """Stands in for `numpy._core.multiarray.scalar`."""
    return number.read(content, 1)[0]


def _named(thing: Any, module: str, name: str) -> Any:
    thing.__module__, thing.__name__, thing.__qualname__ = module, name, name
    return thing


def _forward(function: Callable[..., Any]) -> Callable[..., Any]:
    """A second function object, so that one function can stand under two names."""
    return lambda *args: function(*args)


@cache
def allowed_globals() -> tuple[Any, ...]:
    """mmengine's log history, numpy numbers and arrays of them, slices; for `torch.serialization.add_safe_globals`."""
    return (
        HistoryBuffer,
        slice,
        _named(_history_buffer_statistic, "builtins", "getattr"),
        _named(_Number, "numpy", "dtype"),
        _named(_Array, "numpy", "ndarray"),
        _named(lambda: b"", "builtins", "bytes"),  # how the bytes of an empty array are written
        # numpy 2 renamed the module: a file written on either reads on both.
        *(
            _named(_forward(function), module, name)
            for module in ("numpy.core.multiarray", "numpy._core.multiarray")
            for function, name in ((_new_array, "_reconstruct"), (_scalar, "scalar"))
        ),
    )
