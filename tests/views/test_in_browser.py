"""Pages in a browser: clicked, typed into and looked at. One browser looks at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import netspec
from netspec.views.graph_page import compared
from netspec.views.graph_page import page as graph_page
from netspec.views.picture import picture
from netspec.views.report import page as report_page
from tests.views.browser import CHROMIUM, Browser, browser
from tests.views.test_report import CLASSES, HOSTILE, told

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to look at a page with")

BRANCHES = """
netspec: 1
name: Branches
input: 3x16x16
blocks:
  basic c:
    conv1: conv $c k3 same
    bn1: bn, relu
    out: add(bn1 in)
layers:
  stem: conv 8 k3 same
  body: [basic 8, basic 8]
  one: conv(body) 4 k1
  two: [conv(body) 4 k1, conv 4 k3 same]
  all: concat(one two)
  head: gap, fc 3
"""
OTHER = BRANCHES.replace("basic 8, basic 8", "basic 8, basic 8, basic 8").replace("bn, relu", "bn, gelu")
OVERLAPS = """(() => {
  const shown = (e) => e.getClientRects().length && getComputedStyle(e).visibility !== "hidden";
  const found = [];
  const apart = (some) => some.forEach((a, i) => some.slice(i + 1).forEach((b) => {
    const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
    const w = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (w > 1 && h > 1) found.push([a.outerHTML.slice(0, 80), b.outerHTML.slice(0, 80)]);
  }));
  const around = "body, main, section, header, .tools, .both, .charts, .mistaken, figure, .grid";
  for (const grid of document.querySelectorAll(around)) {
    const boxes = grid.classList.contains("grid");
    const inside = boxes ? [...grid.querySelectorAll(":scope > .cell > .node")] : [...grid.children];
    apart(inside.filter((e) => shown(e) && e.tagName !== "SCRIPT" && e.tagName !== "STYLE"));
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push(["wider than the screen"]);
  return found;
})()"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    one, other = (netspec.loads(text, name=HOSTILE) for text in (BRANCHES, OTHER))
    (folder / "net.svg").write_text(picture(one.graph), "utf-8")
    drawn = {"graph": graph_page(one), "compared": compared(one, other), "report": report_page([told(found=CLASSES)])}
    for name, text in drawn.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("name", ["graph", "compared", "report"])
def test_nothing_overlaps_at_any_width(chromium: Browser, pages: Path, name: str) -> None:
    for width, scheme in ((360, "dark"), (1280, "light"), (2560, "dark")):
        chromium.open(pages / f"{name}.html", width, scheme)
        assert chromium.says(OVERLAPS) == []
        assert chromium.faults == []
        paper = chromium.says("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_graph_is_walked_through_with_keys_alone(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "graph.html")
    focused = "document.activeElement.textContent.trim()"
    chromium.press("Tab", "/")  # typed into the search, which has the focus
    assert chromium.says("document.activeElement.id + document.activeElement.value") == "search/"
    for _ in range(12):
        chromium.press("Tab")
        if chromium.says("document.activeElement.getAttribute('role')") == "treeitem":
            break
    assert chromium.says(focused) == "stem Conv2d(3, 8, 3, padding=1)"
    chromium.press("ArrowDown", "ArrowDown", "ArrowLeft")
    assert chromium.says("document.activeElement.getAttribute('aria-expanded')") == "false"
    before = chromium.says("document.getElementById('canvas').offsetHeight")
    chromium.press("ArrowRight", "ArrowDown")
    assert chromium.says(focused).startswith("conv1 Conv2d")
    assert chromium.says("document.getElementById('canvas').offsetHeight") > before
    told = chromium.says("document.getElementById('details').innerText")
    for words in ("body.0.conv1", "584", "8 x 16 x 16", "conv1: conv $c k3 same", "self.conv1 = nn.Conv2d"):
        assert words in told
    near = "document.getElementById('canvas').getBoundingClientRect().width"
    width = chromium.says(near)
    chromium.press("+")
    assert chromium.says(near) > width
    chromium.press("0", "/")
    chromium.press(*"out a", "Enter", "Enter")
    assert chromium.says("document.getElementById('hits').textContent") == "2 of 2"
    assert chromium.says("document.querySelector('#details h2').textContent") == "body.1.out"
    chromium.press("Escape")
    assert chromium.says(focused) == "out add()"
    assert chromium.faults == []


def test_a_graph_is_folded_with_the_mouse(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "graph.html")
    lines = "[...document.querySelectorAll('.edge')].filter((e) => e.getClientRects().length).length"
    before = chromium.says(lines)
    chromium.click("#fold")
    assert chromium.says("document.querySelectorAll('.closed').length") == 4
    assert chromium.says(lines) < before
    chromium.click("#unfold")
    assert chromium.says(lines) == before
    chromium.click(".level > .head")
    assert chromium.says("document.querySelector('.head').getAttribute('aria-expanded')") == "false"
    chromium.click("#outline tbody tr:nth-child(4) button")
    assert chromium.says("document.querySelector('.head').getAttribute('aria-expanded')") == "true"
    assert chromium.says("document.querySelector('#details h2').textContent") == "body.0"
    assert chromium.faults == []


def test_what_a_step_gives_is_said_below_it_and_within_its_level(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "compared.html")
    astray = chromium.says("""[...document.querySelectorAll('.node > .shape')].filter((e) => {
      const [said, own] = [e, e.parentElement].map((each) => each.getBoundingClientRect());
      const around = e.parentElement.parentElement.closest('.node')?.getBoundingClientRect();
      return said.width && (said.top < own.bottom || (around && said.left < around.left + 1));
    }).map((e) => e.textContent)""")
    assert astray == []


def test_a_box_says_a_name_once(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "graph.html")
    rows = """[...document.querySelectorAll('.row')].map((e) => {
      const name = e.querySelector('b');
      return (+getComputedStyle(name).opacity ? name.textContent : '') + '|' + e.querySelector('.op').textContent;
    })"""
    said = chromium.says(rows)
    assert "bn1|BatchNorm2d(8)" in said
    assert "|ReLU()" in said
    assert "bn1|ReLU()" not in said


def test_a_picture_follows_the_scheme(chromium: Browser, pages: Path) -> None:
    for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 31)")):
        chromium.open(pages / "net.svg", scheme=scheme)
        assert chromium.says("getComputedStyle(document.querySelector('.paper')).fill") == paper


def test_lines_run_through_no_box(chromium: Browser, pages: Path) -> None:
    """Every point of a line lies outside of the boxes of its level, at whose edges it begins and ends."""
    chromium.open(pages / "graph.html")
    crossed = chromium.says("""[...document.querySelectorAll('.grid')].flatMap((grid) => {
      const boxes = [...grid.querySelectorAll(':scope > .cell > .node')].map((e) => e.getBoundingClientRect());
      return [...grid.querySelectorAll(':scope > svg > .edge')].flatMap((line) => {
        const matrix = line.getScreenCTM(), length = line.getTotalLength();
        return Array.from({ length: 60 }, (_, i) => line.getPointAtLength(length * i / 59).matrixTransform(matrix))
          .filter(({ x, y }) => boxes.some(({ left, right, top, bottom }) =>
            x > left + 2 && x < right - 2 && y > top + 2 && y < bottom - 2));
      }).map((p) => [p.x, p.y]);
    })""")
    assert crossed == []


def test_pages_say_the_same_without_scripts(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "compared.html", scripts=False)
    assert chromium.says("document.getElementById('graph').checkVisibility()") is False
    assert chromium.says("document.querySelector('.still').checkVisibility()") is True
    words = chromium.says("document.body.innerText")
    for each in ("+ added", "− removed", "ReLU()", "GELU()", "{{ 7*7 }}"):  # noqa: RUF001
        assert each in words
    assert chromium.faults == []
