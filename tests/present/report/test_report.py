"""The report: one file, complete, without a request to anywhere; seen through Chromium where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

import bayesmix as bmx
from bayesmix.data.model_file import load_model_file
from bayesmix.present.report.page import CSS
from bayesmix.present.report.report import render, report
from bayesmix.results.comparison.document_check import judge

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
        self.open, self.text, self.addresses, self.anchors, self.words = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.addresses += [named[key] for key in ("src", "href", "srcset", "action", "data") if key in named]
        self.anchors += [named["id"]] if "id" in named else []
        self.words += [named["alt"]] if tag == "img" else []
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
    "warnings": "posterior: rows: ",
    "model": "∼Normal(μi,σ)",
    "seed": "4 chains of 250 draws after warm-up, seed not kept",
    "versions": "numpy ",
    "checksum": "checksum of the columns used",
    "methods": "We fitted a linear mixed model (gaussian response) with random effects of agegp (6 levels)",
    "paper": "Point estimates are those of restricted maximum likelihood (REML)",
    "priors in the paper": "sigma ~ Exponential(0.3632)",
    "cite": "The bayesmix developers (20",
    "cite methods": "lmerTest package",
    "data": "6 levels of 11 to 16 rows: 25-34, 35-44, 45-54, 55-64, 65-74, 75+",
    "units": "years of age, six ordered groups",
    "prior": "95 % below 8.25",
    "estimate": "REML criterion at convergence: 388.6",
    "posterior": "Linear mixed model, posterior by",
    "comparison": "1.301",
    "document": "Known difference: the document's optimiser stopped early",
    "diagnostics": "R-hat is at most",
    "next": "Next: post.influence()",
    "forest": "Every parameter, each on its own scale.",
    "lines": "The data, and the fitted line of every group (REML).",
    "curves": "Mean of ncases in every group, with 95 % intervals.",
    "residuals": "Residuals against fitted means (REML)",
    "caterpillar": "Random effects of agegp, with 95 % intervals.",
    "shrinkage": "How partial pooling moves the coefficients of agegp",
    "densities": "Posterior densities of the standard deviations",
    "priors": "Posterior of every parameter over its prior",
    "replications": "Replicated data beside the data: ncases",
}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there(read, part):
    assert PARTS[part] in "".join(read.text)


def test_every_figure_has_words_of_its_own(read):
    assert len(read.words) == len(set(read.words)) == 9
    assert "Forest plot of REML estimate and posterior; the numbers are those of the comparison above." in read.words


LUMINANCE = (0.2126, 0.7152, 0.0722)  # WCAG 2.2, relative luminance


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * value for weight, value in zip(LUMINANCE, linear, strict=True))


def contrast(*colours):
    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


def test_letters_stand_out():
    """WCAG's AA: 4.5 to 1 for text."""
    named = dict(re.findall(r"--(\w+): (#\w+)", CSS))
    grounds = ["#fff", named["soft"], *re.findall(r"background: (#\w+)", CSS)]
    letters = [*(named[name] for name in ("ink", "quiet")), *re.findall(r"[ ;]color: (#\w+)", CSS)]
    assert len(grounds) >= 4
    assert len(letters) >= 4
    for ground in grounds:
        for letter in letters:
            assert contrast(ground, letter) >= 4.5, (ground, letter)
    assert contrast("#fff", named["accent"]) >= 4.5


def test_headings_go_down_step_by_step_and_tables_name_their_cells(written):
    text = written.read_text(encoding="utf-8")
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert '<html lang="en">' in text
    assert "<main>" in text
    assert all("scope=" in cell for cell in re.findall(r"<th[ >][^>]*", text))
    assert re.findall(r'<math alttext="[^"]', text)


def test_nothing_comes_from_elsewhere(read, written):
    assert all(address.startswith(("data:image/", "#")) for address in read.addresses)
    assert any(address.startswith("data:image/svg+xml;base64,") for address in read.addresses)
    style = written.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_the_parts(read):
    links = {address[1:] for address in read.addresses if address.startswith("#")}
    assert links == set(read.anchors)


def test_an_estimate_alone_and_singular(fitted):
    """And the same fits give the same file."""
    comparison = bmx.compare(fitted("dyestuff2"))
    text = render(comparison)
    assert "REML: the fit is singular" in text
    assert "<h1>Yield ~ 1 + (1 | Batch)</h1>" in text
    assert render(comparison) == text


def test_a_report_that_cannot_be_written(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("bayesmix.present.report.report.render", lambda *_, **__: "the page")
    with pytest.raises(bmx.BayesmixError, match=r"The report `.*nowhere.*` cannot be written: No such file"):
        report(bmx.compare(fitted("dyestuff")), tmp_path / "nowhere" / "out.html")
    with pytest.raises(bmx.DataError, match=r"^The report `/dev/full` cannot be written: No space left on device\.$"):
        report(bmx.compare(fitted("dyestuff")), "/dev/full")


# ---- in a browser -----------------------------------------------------------------------------------------------

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


def chromium(folder, page, *options):
    """Open a page headless; what the browser wrote, with the console of the page."""
    always = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    own = ("--disable-component-update", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}")
    command = [CHROMIUM, *always, *own, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


@in_chromium
def test_chromium_shows_it_and_asks_nobody(written, tmp_path):
    """The network log names who asked: a page from a file is `null`."""
    picture, log = tmp_path / "page.png", tmp_path / "net.json"
    run = chromium(tmp_path, written, f"--log-net-log={log}", f"--screenshot={picture}", "--window-size=1200,2000")
    assert "CONSOLE" not in run.stderr  # errors, and what the page's own policy refuses
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if event.get("params", {}).get("initiator") == "null"]
    assert asked == []
    assert picture.stat().st_size > 10_000


@in_chromium
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_only_wide_elements_scroll_sideways(written, tmp_path, width):
    """In a frame of a phone's width: the window of a headless browser is never so narrow."""
    text = escape(written.read_text(encoding="utf-8"), quote=True)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"""<meta charset="utf-8"><iframe style="width: {width}px; height: 800px; border: 0" srcdoc="{text}"
        onload="const page = this.contentDocument.documentElement;
        document.title = page.scrollWidth + ' of ' + page.clientWidth + ', '
          + [...page.querySelectorAll('.scroll')].filter(part => part.scrollWidth > part.clientWidth).length
        "></iframe>""",
        encoding="utf-8",
    )
    shown = chromium(tmp_path, frame, "--dump-dom", "--hide-scrollbars", "--virtual-time-budget=5000").stdout
    inside, wide = shown.split("<title>")[1].split("</title>")[0].split(", ")
    assert inside == f"{width} of {width}"
    assert wide == ("0" if width > 1000 else "2")  # the summaries, which are texts of 80 columns


@in_chromium
def test_it_can_be_printed(written, tmp_path):
    chromium(tmp_path, written, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    pages = (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n")
    assert 5 <= pages <= 14


METHODS = {
    "sleepstudy": "a linear mixed model (gaussian response) with",
    "cbpp": "a generalized linear mixed model (binomial response, logit link) with",
    "wine": "(cumulative response, logit link) with",
    "salamanders": "links mu = log; zi = logit) with",
}


@pytest.mark.parametrize(
    "name", [pytest.param(own, marks=pytest.mark.slow) if own == "salamanders" else own for own in METHODS]
)
def test_methods_name_distribution_and_link(name):
    """Fits are of the model alone: nothing is searched for."""
    from bayesmix.present.report.provenance import methods

    fit = bmx.load_model(name).estimate()
    assert METHODS[name] in methods(bmx.compare(fit, causes=False))
