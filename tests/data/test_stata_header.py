"""What headers of Stata files declare, of files that pandas writes, and of none."""

from __future__ import annotations

import pandas as pd
import pytest

from bayesmix.data.stata_header import declared


@pytest.mark.parametrize("version", [114, 117, 118, 119])
@pytest.mark.parametrize("byteorder", [">", "<"])
def test_headers_of_stata_files_are_those_of_pandas(tmp_path, version, byteorder):
    frame = pd.DataFrame({f"x{j}": [1.0] * 300 for j in range(7)})
    frame.to_stata(tmp_path / "d.dta", write_index=False, version=version, byteorder=byteorder)
    assert declared(tmp_path / "d.dta") == frame.shape


@pytest.mark.parametrize(
    "content", [b"", b"\x72", b"x,y\n1,2\n", b"<stata_dta><header><release>118</release>", bytes(200)]
)
def test_what_is_no_stata_file_declares_nothing(tmp_path, content):
    (tmp_path / "d.dta").write_bytes(content)
    assert declared(tmp_path / "d.dta") == (0, 0)
