"""The pages: built without a run, whole, readable wide and narrow, and silent about what predictions are about."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import browsing
import pytest

from tutorials import notebooks

pytestmark = pytest.mark.heavy
TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
LESSONS = sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of all pages, built from the notebooks as they are."""
    for library in ("nbconvert", "latex2mathml"):
        pytest.importorskip(library, reason="the extra `tutorials` is not installed")
    folder = tmp_path_factory.mktemp("built") / "pages"
    command = [sys.executable, str(TUTORIALS / "pages.py"), str(folder)]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def browser():
    with browsing.browser() as started:
        yield started


# All but the explorer, a page of its own with tests of its own.
UNFOLD = "document.querySelectorAll('details:not(.explorer)').forEach((fold) => { fold.open = true; })"


def opened(browser, path, width=1280, scheme="light", place=""):
    return browsing.opened(browser, path, width, scheme, place, ready="main h1", alone=False)


class InTheOpen(HTMLParser):
    """The text and the pictures of a page that stand behind no fold."""

    def __init__(self, text):
        super().__init__()
        self.depth, self.seen = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.depth += tag == "details"
        if tag == "img" and not self.depth:
            self.seen.append(dict(attributes)["src"])

    def handle_endtag(self, tag):
        self.depth -= tag == "details"

    def handle_data(self, data):
        if not self.depth:
            self.seen.append(data)


def outcomes(lesson):
    """(what is printed, the pictures) of the cells that tell what predictions are about."""
    printed, drawn = [], []
    for cell in json.loads(lesson.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]:
        for output in notebooks.unfolded(cell)[1] if "outcome" in notebooks.tags(cell) else ():
            printed += re.findall(r"^it is .+$", "".join(output.get("text", "")), re.MULTILINE)
            drawn += ["".join(output["data"]["image/png"]).strip()] if "image/png" in output.get("data", {}) else []
    return printed, drawn


def test_no_page_tells_what_a_prediction_is_about(pages):
    index, found = ((pages / name).read_text(encoding="utf-8") for name in ("index.html", "found.js"))
    for lesson in LESSONS:
        page = (pages / f"{lesson.stem}.html").read_text(encoding="utf-8")
        seen = "".join(InTheOpen(page).seen)
        printed, drawn = outcomes(lesson)
        assert printed and len(printed) == page.count('<form class="prediction"')
        for told in printed:
            assert html.escape(told, quote=False) in page.replace("&quot;", '"').replace("&#x27;", "'"), told
            assert told not in seen and told not in found
        for picture in drawn:
            assert picture in page and picture not in seen and picture not in index


def test_every_link_leads_somewhere(pages):
    anchors = {
        path.relative_to(pages).as_posix(): set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))
        for path in pages.rglob("*.html")
    }
    for name in anchors.keys() - {"explorer.html"}:
        page = (pages / name).read_text(encoding="utf-8")
        for address in set(re.findall(r'<a[^>]* href="([^"]+)"', page)):
            target, _, anchor = html.unescape(address).partition("#")
            anchor = "" if target == "explorer.html" else anchor  # a layer and a place
            path = (pages / name).parent / target if target else pages / name
            where = path.resolve().relative_to(pages.resolve()).as_posix()
            assert where in anchors, f"{name}: {address}"
            assert not anchor or unquote(anchor) in anchors[where], f"{name}: {address}"
        assert not re.search(r'(src|href)="(https?:)?//', page)


def test_every_page_is_whole(pages):
    for lesson in LESSONS:
        page = (pages / f"{lesson.stem}.html").read_text(encoding="utf-8")
        assert "<math" in page and 'class="contents"' in page and 'href="glossary.html#' in page
        prose = re.sub(r"<(pre|math|code|script)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert "$" not in prose, "a formula was left as it was"
        text = lesson.read_text(encoding="utf-8")
        for name in re.findall(r"^# ### Exercise (\S+) ", text, re.MULTILINE):
            assert re.search(rf'<h3 id="exercise-{name.replace(".", "-")}-', page)
        for path in re.findall(r"^# \* `(minialex/[\w/]+\.py)`", text, re.MULTILINE):
            assert f'href="source/{path.replace("/", ".")}.html"' in page


def test_names_behind_a_file_lead_to_their_lines(pages):
    page = (pages / "01_autograd.html").read_text(encoding="utf-8")
    line = re.search(r'href="source/minialex\.tape\.py\.html#L-(\d+)"><code>sorted_nodes</code>', page)[1]
    source = (TUTORIALS.parent / "minialex" / "tape.py").read_text().splitlines()
    assert source[int(line) - 1].startswith("def sorted_nodes(")


def test_the_map_is_what_the_lessons_say(pages):
    """Where a lesson says which it needs, they are those on the map; and none needs a later one."""
    sys.path.insert(0, str(TUTORIALS))
    try:
        from web.course import NEEDS
    finally:
        sys.path.remove(str(TUTORIALS))
    assert list(NEEDS) == [int(lesson.stem[:2]) for lesson in LESSONS]
    assert all(needed < number for number, several in NEEDS.items() for needed in several)
    for lesson in LESSONS:
        opening = lesson.read_text(encoding="utf-8").split("# %%")[1].replace("\n# ", " ")
        said = re.search(r"You need (lessons?|of lesson) \d.*?\.( |\n)", opening)
        if said:
            assert set(map(int, re.findall(r"\b\d+\b", said[0]))) == set(NEEDS[int(lesson.stem[:2])]), said[0]


def test_the_glossary_speaks_of_the_lessons(pages):
    """Every term stands in the lesson that it is said to be of."""
    entries = re.findall(r"^\*\*(.+?)\*\* \((\d+)\): \S", (TUTORIALS / "glossary.md").read_text(), re.MULTILINE)
    assert len(entries) > 50 and len({term for term, _ in entries}) == len(entries)
    for term, number in entries:
        lesson = next(path for path in LESSONS if int(path.stem[:2]) == int(number))
        text = " ".join(lesson.read_text(encoding="utf-8").replace("\n# ", " ").lower().replace("-", " ").split())
        assert term.lower().replace("-", " ") in text, f"{term} in lesson {number}"


# ------------------------------------------------------------------------------ in a browser


def test_what_came_out_unfolds_after_a_prediction(browser, pages):
    with opened(browser, pages / "02_arrays.html") as page:
        forms, folds = page.locator("form.prediction"), page.locator("details.outcome")
        is_open = "(folds) => folds.map((fold) => [fold.dataset.of, fold.open])"
        assert forms.count() == 3 and not any(state for _, state in folds.evaluate_all(is_open))
        folds.first.locator("summary").first.click()
        forms.first.get_by_role("button", name="Show").click()
        assert not any(state for _, state in folds.evaluate_all(is_open)), "no prediction yet"
        assert forms.first.locator(".said").inner_text().startswith("Predict first")
        forms.first.locator("input").fill("<b>12</b>")
        forms.first.get_by_role("button", name="Show").click()
        assert all(state == (of == "1") for of, state in folds.evaluate_all(is_open))
        assert forms.first.locator(".said").inner_text() == "You predicted: <b>12</b>"
        forms.nth(1).get_by_label("1e-5", exact=True).check()
        forms.nth(1).get_by_role("button", name="Show").click()
        forms.nth(2).get_by_role("button", name="rather not").click()
        assert all(state for _, state in folds.evaluate_all(is_open))
        page.reload()
        page.wait_for_function("document.querySelector('details.outcome').open")
        assert page.locator(".said").all_inner_texts()[:2] == ["You predicted: <b>12</b>", "You predicted: 1e-5"]


def test_search(browser, pages):
    with opened(browser, pages / "index.html") as page:
        page.get_by_role("searchbox").fill("topological order")
        page.keyboard.press("Enter")
        links = page.locator("#results a")
        links.first.wait_for()
        assert any("Walking back" in text for text in links.all_inner_texts())
        assert links.first.inner_text() == "Glossary: topological order"
        links.first.click()
        page.locator("main h1").wait_for()
        assert page.evaluate("document.querySelector(location.hash) !== null")
    with opened(browser, pages / "search.html") as page:
        page.goto(f"{(pages / 'search.html').as_uri()}?q=<img>zzz")
        assert page.locator("#count").inner_text() == "0 sections with “<img>zzz”"


def test_the_explorer_stands_where_a_layer_is_explained(browser, pages):
    with opened(browser, pages / "05_pooling.html") as page:
        folds = page.locator("details.explorer")
        assert folds.count() == 4
        folds.first.locator("summary").click()
        frame = page.frame_locator("details.explorer iframe").first
        frame.locator(".panel h2").wait_for()
        assert "pool1" in frame.locator(".panel h2").inner_text()


def test_every_place_that_a_lesson_leads_to_is_there(browser, pages, monkeypatch):
    """The explorer reads each address, and would write the same one."""
    monkeypatch.syspath_prepend(str(TUTORIALS))
    from web import course

    with browsing.opened(browser, pages / "explorer.html", 1280, "light", "", ready=".panel h2") as page:
        for place, _ in course.EXPLORED.values():
            read = "(place) => { location.hash = place; explorer.state.read(); return explorer.state.address; }"
            assert page.evaluate(read, f"#{place}") == f"#{place}"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(browser, pages, width):
    names = [f"{lesson.stem}.html" for lesson in LESSONS]
    names += [
        "index.html",
        "glossary.html",
        "reference.minialex.nn.html",
        "search.html",
        "source/minialex.tape.py.html",
    ]
    for name in names:
        with opened(browser, pages / name, width) as page:
            page.evaluate(UNFOLD)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            box = page.locator("nav.contents" if width == 1280 else "details.contents")
            if name.startswith("0"):
                assert box.is_visible()
                left = box.bounding_box()["x"]
                assert (left > 850) == (width == 1280), "the contents stand in the right third"


def test_wide_figures_say_so_on_a_phone(browser, pages):
    """And the keyboard reaches whatever scrolls."""
    cue = "(figure) => getComputedStyle(figure, '::before').content"
    with opened(browser, pages / "01_autograd.html", 390) as page:
        figures = page.locator("main > figure")
        assert figures.count() >= 3
        for figure in figures.all():
            assert "swipe" in figure.evaluate(cue) and figure.get_attribute("tabindex") == "0"
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_function("!document.querySelector('figure.scrolls')")
        assert page.locator("main pre").first.evaluate("(pre) => getComputedStyle(pre).whiteSpace") == "pre"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_roles_and_contrasts(browser, pages, scheme):
    axe = browsing.checker() or pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    for name in ("index.html", "02_arrays.html", "glossary.html"):
        with opened(browser, pages / name, 1280, scheme) as page:
            page.evaluate(UNFOLD)
            found = axe.run(page, options={"preload": False}).response["violations"]
            assert not found, (name, [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found])
