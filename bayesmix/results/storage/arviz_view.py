"""A posterior as ArviZ's functions take it: in place of the DataTree of its draws.

ArviZ asks whether it has a ``DataTree``, which is an abstract base class of Python's, so that others may be registered
as of its kind; groups by name and other attributes that it then asks for are those of the draws.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from bayesmix.errors import nearest

if TYPE_CHECKING:
    import xarray as xr

GROUPS = ("posterior", "sample_stats", "log_prior", "observed_data", "constant_data")  # others have names of verbs


class ArvizView:
    """What has a DataTree of draws and may stand for it: ``az.summary(post)``, ``post.posterior``."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Its class, of a DataTree's kind from when xarray is loaded: what asks for one of these asks for this first.

        xarray takes longer to load than a small posterior to draw, and most tables do without.
        """
        own = type(self)
        if (xr := sys.modules.get("xarray")) is not None and hasattr(xr, "DataTree"):
            xr.DataTree.register(own)
        return own

    @property
    @abstractmethod
    def data(self) -> xr.DataTree:
        """The draws as a DataTree in ArviZ's conventions."""

    def __getitem__(self, group: str) -> Any:
        """A group of `data`, ``post["posterior"]``."""
        return self.data[group]

    __iter__ = None  # groups are asked for by name

    def __getattr__(self, name: str) -> Any:
        """A group, or what a DataTree has beside groups."""
        import xarray as xr

        if name.startswith("_") or not (name in GROUPS or hasattr(xr.DataTree, name)):
            known = [own for own in dir(type(self)) if not own.startswith("_")]
            raise AttributeError(f"A {type(self).__name__} has no `{name}`.{nearest(name, known)}", name=name, obj=self)
        return getattr(self.data, name)
