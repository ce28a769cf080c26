"""The whole course as pages: lessons, their map, the glossary, the search, the reference, and the sources they name."""

from __future__ import annotations

import contextlib
import html
import io
import json
import re

from minialex import cli
from minialex.explore import __main__ as explorer
from minialex.support import files

from . import frame, reference
from .lesson_page import Lesson
from .sources import Sources

# Which lessons each stands on.
NEEDS = {
    1: (),
    2: (1,),
    3: (2,),
    4: (1, 2),
    5: (2, 4),
    6: (3, 5),
    7: (6,),
    8: (4, 5, 6),
    9: (5, 6),
    10: (4,),
    11: (6, 8),
    12: (1, 2, 6),
}

# (lesson, anchor of a section): the number of a small network that the explorer shows at its end, and what it is.
EXPLORED = {
    (1, "walking-back"): ("conv1;training", "one training step of a network, forwards and backwards, step by step"),
    (3, "scores-and-what-to-make-of-them"): ("softmax:0,0,0", "a probability, term by term"),
    (3, "how-wrong"): ("fc5:0,0,0;backward", "the gradient that arrives at a logit"),
    (4, "a-window-slides"): ("conv1:0,8,8", "a number that a convolution made, its window and its weights"),
    (4, "groups"): ("conv2:5,3,3", "a number that sees the maps of its own group only"),
    (4, "second-way-one-matrix-product"): ("conv1:0,8,8;windows", "windows become columns, place by place"),
    (4, "the-way-back-col2im"): ("conv2:5,3,3;windows", "columns are added back into the picture"),
    (5, "keep-the-largest"): ("pool1:0,4,4", "a number that won, and its window"),
    (5, "where-gradients-go"): ("pool1:0,4,4;backward", "a gradient on its way back through a pool"),
    (5, "the-loud-silence-the-quiet"): ("norm1:3,4,4", "a normalised number, and its neighbours"),
    (5, "its-gradient-by-hand"): ("norm1:3,4,4;backward", "where the gradient of a normalised number comes from"),
    (6, "the-step-momentum-and-decay"): ("fc5;training", "a training step, with a rate and a momentum to choose"),
    (6, "where-weights-begin"): ("fc4:0,0,0", "a network before training, and any number in it"),
    (6, "dropout-an-ensemble-for-the-price-of-two"): ("drop4:0,0,0", "what dropout does in evaluation"),
    (7, "two-functions-and-their-slopes"): ("relu1:0,8,8;backward", "which gradients a ReLU lets pass"),
}


def write(tutorials, folder):
    """Write all pages. UserError for a notebook that is not there.

    tutorials: the folder of the lessons.
    folder: where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lessons = [Lesson(_notebook(path)) for path in sorted(tutorials.glob("[0-9][0-9]_*.py"))]
    terms = glossary(tutorials)
    sources, found = Sources(tutorials.parent), []
    for i, lesson in enumerate(lessons):
        body, headings, sections = lesson.render()
        body = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', body)
        body = _with_explorer(_terms_linked(sources.linked(body), terms), lesson.number)
        before, after = lessons[i - 1 : i], lessons[i + 1 : i + 2]
        frame.page(
            folder / lesson.name, lesson.title, body, headings=headings, kind="lesson", footer=_footer(before, after)
        )
        found += [(lesson.name, anchor, lesson.title, heading, text) for anchor, heading, text in sections]
    _index(folder, lessons)
    found += _glossary_page(folder, lessons, terms)
    found += [(page, anchor, "Reference", name, text) for page, anchor, name, text in reference.write(folder, sources)]
    _search(folder, found)
    sources.write(folder)
    frame.assets(folder)
    with contextlib.redirect_stdout(io.StringIO()):  # the name of the page
        explorer.main(["shapes_net", "--out", str(folder / "explorer.html")])


def _with_explorer(body, number):
    """The explorer, behind a fold, at the end of the sections that it belongs to."""
    for (lesson, anchor), (place, words) in EXPLORED.items():
        if lesson == number:
            start = body.index(f'<h2 id="{anchor}">')
            end = body.index("<h2 ", start + 1)
            address = f"explorer.html#{place}"
            fold = (
                f'<details class="explorer"><summary>See it at work: {words}</summary>\n'
                f'<iframe src="{address}" loading="lazy" title="The explorer: {words}"></iframe>\n'
                f'<p><a href="{address}">The explorer in a page of its own</a></p></details>\n'
            )
            body = body[:end] + fold + body[end:]
    return body


def _notebook(source):
    path = source.with_suffix(".ipynb")
    if not path.exists():
        raise cli.UserError(f"{path} is missing: python tutorials/build.py {path.stem} makes it")
    return path


def _footer(before, after):
    links = [f'<a href="{lesson.name}">← {html.escape(lesson.title)}</a>' for lesson in before]
    links += [f'<a href="{lesson.name}">{html.escape(lesson.title)} →</a>' for lesson in after]
    return f'<footer><nav aria-label="Next to this lesson">{"".join(links)}</nav></footer>\n'


def _index(folder, lessons):
    cards, headings = [], [(2, "map", "Which lesson stands on which")]
    for lesson in lessons:
        anchor, title = f"lesson-{lesson.number}", html.escape(lesson.title)
        cards.append(f'<h2 id="{anchor}"><a href="{lesson.name}">{title}</a></h2>\n{lesson.teaser()}')
        headings.append((2, anchor, title))
    body = f"""<h1>{frame.TITLE}</h1>
<p>Each lesson starts from a question, builds the answer from short code, asks you to predict results before it shows
them, and ends by comparing what you built with minialex's own code. On these pages you can read and predict; to change
the code and to do the exercises, run <code>python -m minialex.tutorials --open 1</code>.</p>
<h2 id="map">Which lesson stands on which</h2>
{drawn_map(lessons)}
{chr(10).join(cards)}"""
    frame.page(folder / "index.html", frame.TITLE, body, headings=headings, kind="lesson index")


def drawn_map(lessons):
    """The lessons as boxes, from top to bottom, with a line to each from those that it stands on: SVG."""
    depth = {}
    for number, needed in NEEDS.items():
        depth[number] = 1 + max((depth[n] for n in needed), default=-1)
    rows = [[n for n in NEEDS if depth[n] == d] for d in range(max(depth.values()) + 1)]
    wide, high, step = 128, 44, 74
    place = {}
    for y, row in enumerate(rows):
        for x, number in enumerate(row):
            place[number] = (210 + 138 * (x - (len(row) - 1) / 2), 26 + step * y)
    lines, boxes = [], []
    words = {lesson.number: lesson for lesson in lessons}
    for number, needed in NEEDS.items():
        x, y = place[number]
        for n in needed:
            if not any(n in NEEDS[other] for other in needed):  # what is needed anyway has no line of its own
                fx, fy = place[n]
                y0, y1 = fy + high / 2, y - high / 2
                lines.append(f'<path d="M{fx} {y0} C{fx} {y0 + 22} {x} {y1 - 22} {x} {y1}"/>')
        title = words[number].title.split(". ", 1)[1]
        half = _halves(title)
        text = "".join(
            f'<tspan x="{x}" dy="{14 if i else 0}">{html.escape(part)}</tspan>' for i, part in enumerate(half)
        )
        box = f'<rect x="{x - wide / 2}" y="{y - high / 2}" width="{wide}" height="{high}" rx="6"/>'
        top = y + (4 if len(half) == 1 else -3)
        boxes.append(f'<a href="{words[number].name}">{box}<text x="{x}" y="{top}">{text}</text></a>')
    height = 52 + step * (len(rows) - 1)
    return (
        f'<svg class="map" viewBox="0 0 420 {height}" role="group" aria-label="Map of the lessons">'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _halves(title, most=17):
    """One line, or two of about the same length."""
    if len(title) <= most:
        return [title]
    gaps = [i for i, letter in enumerate(title) if letter == " "]
    middle = min(gaps, key=lambda i: abs(i - len(title) / 2))
    return [title[:middle], title[middle + 1 :]]


def glossary(tutorials):
    """[(term, number of its lesson, what it means)] of glossary.md."""
    text = (tutorials / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\*\*(.+?)\*\* \((\d+)\): ((?:.+\n)+)", text, re.MULTILINE)
    return [(term, int(number), " ".join(words.split())) for term, number, words in entries]


def _anchor(term):
    return re.sub(r"\W+", "-", term.lower()).strip("-")


def _terms_linked(body, terms):
    """Words that are set off, bold or slanting, and that the glossary explains lead there."""
    known = {term.lower(): term for term, _, _ in terms}

    def link(match):
        term = known.get(match[2].lower()) or known.get(match[2].lower().removesuffix("s"))
        if term is None:
            return match[0]
        return f'<{match[1]}><a class="term" href="glossary.html#{_anchor(term)}">{match[2]}</a></{match[1]}>'

    return re.sub(r"<(strong|em)>([\w -]+)</\1>", link, body)


def _glossary_page(folder, lessons, terms):
    names = {lesson.number: lesson for lesson in lessons}
    rows, found = [], []
    for term, number, words in sorted(terms, key=lambda entry: entry[0].lower()):
        lesson = names[number]
        where = f'<a href="{lesson.name}">lesson {number}</a>'
        text = frame.markdown(words).strip().removeprefix("<p>").removesuffix("</p>")
        rows.append(f'<dt id="{_anchor(term)}">{html.escape(term)}</dt><dd>{text} ({where})</dd>')
        found.append(("glossary.html", _anchor(term), "Glossary", term, frame.plain(text)))
    frame.page(folder / "glossary.html", "Glossary", f'<h1>Glossary</h1>\n<dl class="glossary">{"".join(rows)}</dl>')
    return found


def _search(folder, found):
    """The page that searches, and what it searches in, a script, since a page on disk may read no other file."""
    body = '<h1>Search</h1>\n<p id="count" role="status"></p>\n<ol id="results"></ol>'
    frame.page(folder / "search.html", "Search", body, head='<script src="found.js" defer></script>\n')
    files.write_text(folder / "found.js", f"const FOUND = {json.dumps(found, ensure_ascii=False)};\n")
