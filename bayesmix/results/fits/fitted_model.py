"""What is fitted: a model on its design, the data as they were given, and what is known of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bayesmix.data.design.design import Design
from bayesmix.language.formula.model_spec import ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What every fit knows beside its numbers."""

    spec: ModelSpec
    design: Design
    data_name: str  # how the data were given, for the heading of summaries
    documented: Mapping[str, float] = field(default_factory=dict)  # printed figures by parameter name
    units: Mapping[str, str] = field(default_factory=dict)  # of the columns, for the axes of figures
    data: Any = None  # the table as given, for columns of terms that are added later; not saved, not sent to workers

    def __reduce__(self) -> tuple[type[Fitted], tuple[Any, ...]]:
        return Fitted, (self.spec, self.design, self.data_name, self.documented, self.units)
