"""Every page of the site in headless Chromium, on a phone and on a desktop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import browser
import pytest

ROOT = Path(__file__).parents[1]
WIDTHS = (390, 1280)


@pytest.mark.slow
@pytest.mark.skipif(browser.CHROMIUM is None, reason="Chromium is not there")
def test_pages_fit_say_no_errors_and_can_be_read(tmp_path: Path) -> None:
    """Nothing scrolls sideways, no script fails, headings, alternative texts and contrast are as WCAG has them."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("tornado")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    pages = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html"))
    found = {}
    with browser.browser() as tab, browser.served(tmp_path) as address:
        for page in pages:
            tab.open(f"{address}/{page}", WIDTHS[0])
            for width in WIDTHS:
                tab.resize(width)
                found[page, width] = tab.problems()
        tab.open(f"{address}/start.html", WIDTHS[1], dark=True)
        found["start.html", "dark"] = tab.problems()
    assert len(found) > 2 * 30
    assert {place: problems for place, problems in found.items() if problems} == {}


@pytest.mark.slow
@pytest.mark.skipif(browser.CHROMIUM is None, reason="Chromium is not there")
def test_problems_of_a_page_are_found(tmp_path: Path) -> None:
    pytest.importorskip("tornado")
    wide = '<html><body><h1>a</h1><h1>b</h1><img src="x.png"><p style="width: 2000px; color: #ccc">pale</p><p>`raw`</p>'
    (tmp_path / "bad.html").write_text(f"{wide}<script>throw new Error('no')</script></body></html>", encoding="utf-8")
    with browser.browser() as tab, browser.served(tmp_path) as address:
        tab.open(f"{address}/bad.html", WIDTHS[0])
        problems = " ".join(tab.problems())
    for words in ("scrolls sideways", "no language", "2 h1", "no alt", "contrast", "console", "Markdown"):
        assert words in problems
