"""The sampler's form of a PyMC model as machine code, compiled once for all data of one shape of model.

nutpie can compile a PyMC model itself; this does the same at a third of the cost. Its wrappers around PyTensor's
function are compiled anew in every process, and one of them computes quantities (standard deviations, random effects)
that NumPy can compute afterwards for all draws at once. Only the log density and its gradient are compiled here,
PyTensor keeps them in its cache on disk, and the wrapper around them is a few lines.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.sampling.nuts.compile_directory import cached

KEPT = 16  # compiled models that a process keeps


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """Log density and gradient of a model's free values, as machine code."""

    names: tuple[str, ...]  # of the free variables
    shapes: tuple[tuple[int, ...], ...]
    function: Any  # PyTensor's, kept alive
    address: Any  # numba's wrapper, called by nutpie
    data: tuple[str, ...]  # names of the arrays that it takes, in order
    dtypes: tuple[np.dtype[Any], ...]

    @property
    def size(self) -> int:
        """Number of free values."""
        return sum(map(prod, self.shapes))

    def split(self, values: Array) -> dict[str, Array]:
        """Free values ``(..., size)`` by variable ``(..., *shape)``."""
        found, start = {}, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            stop = start + prod(shape)
            found[name] = values[..., start:stop].reshape((*values.shape[:-1], *shape))
            start = stop
        return found

    def join(self, free: Mapping[str, Array], rest: Array) -> Array:
        """Free values ``(size,)`` from those of some variables, all others from ``rest (size,)``."""
        values, start = rest.copy(), 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            stop = start + prod(shape)
            if name in free:
                values[start:stop] = np.ravel(free[name])
            start = stop
        return values

    def evaluate(self, values: Array, data: Mapping[str, Array]) -> tuple[float, Array]:
        """Log density and gradient ``(size,)`` at free values ``(size,)``."""
        logp, gradient = self.function.vm.jit_fn(values, *self._arrays(data))
        return float(logp), gradient

    def bind(self, data: Mapping[str, Array], start: Callable[[int], Array]) -> Any:
        """A model for `nutpie.sample` on some data; ``start`` gives free values ``(size,)`` by seed."""
        from nutpie.compile_pymc import CompiledPyMCModel

        arrays = self._arrays(data)
        words = [word for array in arrays for word in (array.ctypes.data, *array.shape)]
        return CompiledPyMCModel(
            _n_dim=self.size,
            dims={},
            _coords={},
            _shapes={VALUES: (self.size,)},
            compiled_logp_func=self.address,
            compiled_expand_func=_copy(),
            initial_point_func=start,
            shared_data=dict(zip(self.data, arrays, strict=True)),  # the pointers below are into these
            shared_var_keys={},
            user_data=np.array(words, np.int64),
            n_expanded=self.size,
            shape_info=([VALUES], [slice(0, self.size)], [(self.size,)]),
            logp_func=self.function,
            expand_func=None,
        )

    def _arrays(self, data: Mapping[str, Array]) -> list[Array]:
        pairs = zip(self.data, self.dtypes, strict=True)
        return [np.array(data[name], dtype=dtype, order="C") for name, dtype in pairs]


VALUES = "values"
_densities: OrderedDict[Any, Density] = OrderedDict()


def density_of(model: Any, shapes: Mapping[str, tuple[int, ...]], key: Any) -> Density:
    """Compile the log density of ``model``, unless one with the same key has been compiled.

    Parameters
    ----------
    shapes : of the free variables, which are all unconstrained. Their names are those of this model: another of its
        shape may call its groups otherwise.
    key : all that the graph depends on but the values of its shared variables.
    """
    if key not in _densities:
        _densities[key] = cached(lambda: _compile(model, shapes))
        while len(_densities) > KEPT:
            _densities.popitem(last=False)
    _densities.move_to_end(key)
    found, names = _densities[key], tuple(shapes)
    return found if found.names == names else replace(found, names=names)


def _compile(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> Density:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import get_mode
    from pytensor.graph import clone_replace, rewrite_graph

    values = [model.rvs_to_values[variable] for variable in model.free_RVs]
    sizes = [prod(shapes[value.name]) for value in values]
    joined = pt.TensorType("float64", shape=(sum(sizes),))("values")
    bounds = np.cumsum([0, *sizes])
    pieces = {
        value: joined[lo:hi].reshape(shapes[value.name])
        for value, lo, hi in zip(values, bounds[:-1], bounds[1:], strict=True)
    }
    with warnings.catch_warnings(), model:
        warnings.simplefilter("ignore")
        logp = rewrite_graph(model.logp(), include=["canonicalize", "stabilize", "local_remove_check_parameter"])
        gradient = pt.concatenate([part.ravel() for part in pt.grad(logp, values)])
        outputs = clone_replace([logp, gradient], pieces)
        mode = get_mode("NUMBA").excluding("local_greedy_distributor")  # a quarter of the time, for no faster code
        function = pytensor.function([joined], outputs, mode=mode, on_unused_input="ignore")
        shared = function.get_shared()
        arrays = [variable.get_value(borrow=True) for variable in shared]
        address = _wrapper(function.vm.jit_fn, sum(sizes), arrays)
    return Density(
        tuple(value.name for value in values),
        tuple(shapes[value.name] for value in values),
        function,
        address,
        tuple(variable.name for variable in shared),
        tuple(array.dtype for array in arrays),
    )


SOURCE = """
def density(size, values_, gradient_, logp_, data_):
    try:
        data = carray(data_, (words,), int64)
        values = carray(values_, (n,))
        gradient = carray(gradient_, (n,))
        logp = carray(logp_, (1,))
        value, slope = inner(values{arguments})
        logp[0] = value.item()
        for i in range(n):
            gradient[i] = slope[i]
            if not isfinite(slope[i]):
                return 3
        if not isfinite(logp[0]):
            return 4
    except Exception:
        return 1
    return 0
"""


def _wrapper(inner: Any, n: int, arrays: Sequence[Array]) -> Any:
    """The C function that nutpie calls; pointers and shapes of the data come in one array of words."""
    import numba
    from numba import carray  # type: ignore[attr-defined]
    from nutpie.compile_pymc import address_as_void_pointer

    arguments, at = "", 0
    for number, array in enumerate(arrays):
        shape = ", ".join(f"data[{at + 1 + axis}]" for axis in range(array.ndim))
        arguments += f", carray(pointer(data[{at}]), ({shape}{',' if array.ndim else ''}), dtype{number})"
        at += 1 + array.ndim
    names = {f"dtype{number}": array.dtype for number, array in enumerate(arrays)}
    scope = {
        "carray": carray,
        "pointer": address_as_void_pointer,
        "isfinite": np.isfinite,
        "int64": np.int64,
        "inner": inner,
        "words": max(at, 1),
        "n": n,
        **names,
    }
    exec(SOURCE.format(arguments=arguments), scope)
    types: Any = numba.types
    double = types.CPointer(types.double)
    return numba.cfunc(types.int64(types.uint64, double, double, double, types.voidptr))(scope["density"])


@cache
def _copy() -> Any:
    """The C function by which nutpie asks for what to store: the free values themselves."""
    import numba

    def copy(size, expanded, values_, out_, data_):  # type: ignore[no-untyped-def]
        for i in range(size):
            out_[i] = values_[i]
        return 0

    types: Any = numba.types
    double = types.CPointer(types.double)
    return numba.cfunc(types.int64(types.uint64, types.uint64, double, double, types.voidptr))(copy)
