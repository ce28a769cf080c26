"""What every page has: its head, the bar on top, the contents at the side; and Markdown with formulas in MathML."""

from __future__ import annotations

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from minialex.support import files

HERE = Path(__file__).parent
TITLE = "From one scalar to AlexNet"
BAR = {"index.html": "Lessons", "glossary.html": "Glossary", "reference.html": "Reference"}

PAGE = """<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{up}style.css">
{head}<script src="{up}page.js" defer></script>
</head>
<body>
<a class="skip" href="#main">To the text</a>
<header><nav aria-label="All pages">{bar}</nav>
<form action="{up}search.html" role="search"><input name="q" type="search" aria-label="Search" placeholder="Search">
<button>Search</button></form></header>
<div class="{kind}">
{contents}<main id="main">
{body}
</main>
</div>
{footer}</body>
</html>
"""


class Renderer(IPythonRenderer):
    """Markdown, with formulas as MathML; `headings` are those that it has met, (level, anchor, HTML of the words)."""

    def __init__(self, **options):
        super().__init__(escape=False, **options)
        self.headings = []

    def heading(self, text, level, **attrs):
        """A heading that one can link to."""
        words = html.unescape(re.sub(r"<[^>]+>", "", text))
        anchor = re.sub(r"\W+", "-", words.lower()).strip("-")
        self.headings.append((level, anchor, text))
        link = f' <a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>' if level > 1 else ""
        return f'<h{level} id="{anchor}">{text}{link}</h{level}>\n'

    def inline_math(self, body):
        return convert(body)

    def block_math(self, body):
        return convert(body, display="block")

    def multiline_math(self, text):
        return convert(text.strip().removeprefix("$$").removesuffix("$$"), display="block")


def markdown(text, renderer=None):
    """HTML of a text in Markdown."""
    return MarkdownWithMath(renderer=renderer or Renderer()).render(text)


def page(path, title, body, *, headings=(), kind="plain", footer="", head=""):
    """Write a page.

    path: of the file; one in a folder below has its links one step up.
    headings: (level, anchor, HTML) of what stands in the contents, levels 2 and 3.
    kind: its class.
    """
    up = "" if path.parent.name != "source" else "../"
    bar = "".join(f'<a href="{up}{name}">{words}</a>' for name, words in BAR.items())
    items = "".join(f'<li class="level{n}"><a href="#{a}">{words}</a></li>' for n, a, words in headings if n in (2, 3))
    contents = ""
    if items:
        contents = (
            f'<nav class="contents" aria-label="On this page"><p>On this page</p><ul>{items}</ul></nav>\n'
            f'<details class="contents"><summary>On this page</summary><ul>{items}</ul></details>\n'
        )
    text = PAGE.format(
        title=html.escape(title), up=up, bar=bar, head=head, kind=kind, contents=contents, body=body, footer=footer
    )
    files.write_text(path, text)


def assets(folder):
    """Write the style sheet and the script that all pages share."""
    light, dark = (HtmlFormatter(style=name) for name in ("default", "github-dark"))
    style = (HERE / "style.css").read_text(encoding="utf-8") + light.get_style_defs(".highlight")
    dark_rules = re.sub(
        r"^pre \{.*\n?|^(td|span)\.linenos.*\n?", "", dark.get_style_defs(".highlight"), flags=re.MULTILINE
    )
    files.write_text(folder / "style.css", f"{style}\n@media (prefers-color-scheme: dark) {{\n{dark_rules}\n}}\n")
    files.write_text(folder / "page.js", (HERE / "page.js").read_text(encoding="utf-8"))


def plain(text):
    """HTML without its tags, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
