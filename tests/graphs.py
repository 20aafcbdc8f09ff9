"""PyTensor's graphs, evaluated as they are written."""

from __future__ import annotations

from pytensor.compile.mode import Mode

# Rewriting a graph takes ten times as long as evaluating it. What is compiled for sampling is compared with graphs that
# are not rewritten (`test_machine_code_serves_other_data_of_the_model`, `test_new_family`).
AS_WRITTEN = Mode("py", None)
