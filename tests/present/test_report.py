"""The report: one file, complete, without a request to anywhere; seen through Chromium where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

import bayesmix as bmx
from bayesmix.data.model_file import load_model_file
from bayesmix.present.report import render, report
from bayesmix.results.verdict import judge

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "img", "br", "hr", "link", "input"}


@pytest.fixture(scope="module")
def written(tmp_path_factory, fitted, posterior_of):
    """The report of the document's first model, with draws made by hand."""
    file = load_model_file("esoph_lmm")
    post, reml = posterior_of("esoph", chains=4, draws=250, spread=0.1), fitted("esoph")
    comparison = bmx.compare(post, reml, documented=file.documented_parameters())
    path = tmp_path_factory.mktemp("report") / "esoph <lmm>.html"
    report(comparison, path, title="Cases & controls", verdict=judge(file.figures, reml, post), units=file.data.units)
    return path


class Reader(HTMLParser):
    """Text, addresses, and whether elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.text, self.addresses, self.anchors = [], [], [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.addresses += [named[key] for key in ("src", "href", "srcset", "action", "data") if key in named]
        self.anchors += [named["id"]] if "id" in named else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def read(written):
    reader = Reader()
    reader.feed(written.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


PARTS = {
    "title": "Cases & controls",
    "verdict": "The estimate reproduces the document: 32 of 34 printed figures agree, 2 differ for a known reason.",
    "convergence": "posterior: converged.",
    "model": "ncases[i] ~ Normal(mu[i], sigma)",
    "data": "6 levels of 11 to 16 rows: 25-34, 35-44, 45-54, 55-64, 65-74, 75+",
    "units": "years of age, six ordered groups",
    "prior": "95 % below 8.25",
    "estimate": "REML criterion at convergence: 388.6",
    "posterior": "Linear mixed model, posterior by",
    "comparison": "1.301",
    "document": "Known difference: the document's optimiser stopped early",
    "diagnostics": "R-hat is at most",
    "figure": "Every parameter, each on its own scale.",
}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there(read, part):
    assert PARTS[part] in "".join(read.text)


def test_nothing_comes_from_elsewhere(read, written):
    assert all(address.startswith(("data:image/", "#")) for address in read.addresses)
    assert any(address.startswith("data:image/svg+xml;base64,") for address in read.addresses)
    style = written.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_the_parts(read):
    links = {address[1:] for address in read.addresses if address.startswith("#")}
    assert links == set(read.anchors)


def test_the_same_fits_give_the_same_file(fitted):
    comparison = bmx.compare(fitted("dyestuff"))
    assert render(comparison) == render(comparison)


def test_an_estimate_alone_and_singular(fitted):
    text = render(bmx.compare(fitted("dyestuff2")))
    assert "REML: the fit is singular" in text
    assert "<h1>Yield ~ 1 + (1 | Batch)</h1>" in text


def test_a_report_that_cannot_be_written(fitted, tmp_path):
    with pytest.raises(bmx.BayesmixError, match=r"The report `.*nowhere.*` cannot be written: No such file"):
        report(bmx.compare(fitted("dyestuff")), tmp_path / "nowhere" / "out.html")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_chromium_shows_it_and_asks_nobody(written, tmp_path):
    """On a phone's width; the network log names who asked: a page from a file is `null`."""
    picture, log = tmp_path / "page.png", tmp_path / "net.json"
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--log-net-log={log}",
        f"--screenshot={picture}",
        "--window-size=500,1000",
        "--enable-logging=stderr",
    ]
    run = subprocess.run([CHROMIUM, *options, written.as_uri()], capture_output=True, text=True, check=True, timeout=60)
    assert "Content Security Policy" not in run.stderr  # what the page's own policy refuses is written to the console
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if event.get("params", {}).get("initiator") == "null"]
    assert asked == []
    assert picture.stat().st_size > 10_000
