"""The lessons as web pages: each whole in one file, formulas in MathML; no script, no server, no network."""

from __future__ import annotations

import html
import re

from minialex import cli
from minialex.support import files

try:
    import nbformat
    from jinja2 import pass_context
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from pygments.formatters import HtmlFormatter
except ImportError as error:
    raise cli.UserError(f"{error.name} is not installed: pip install -e '.[tutorials]'") from error

STYLE = """
:root { color-scheme: light; }
body { margin: 0; color: #222; background: #fff; font: 17px/1.6 Georgia, "Times New Roman", serif; }
main, nav { max-width: 60rem; margin: 0 auto; padding: 0 1.1rem; }
p, ul, ol, blockquote, details { max-width: 44rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; justify-content: space-between; padding-block: .9rem;
  font: 14px/1.4 system-ui, sans-serif; }
h1, h2, h3 { font-family: system-ui, sans-serif; line-height: 1.25; margin: 2.2rem 0 .6rem; }
h1 { font-size: 1.9rem; margin-top: .6rem; } h2 { font-size: 1.35rem; } h3 { font-size: 1.1rem; }
a { color: #0072B2; } a.anchor-link, .prompt { display: none; }
pre { font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace; overflow-x: auto; margin: 0; padding: .7rem .9rem; }
.input_area, details .highlight { background: #f5f5f5; border-left: 3px solid #0072B2; margin: .9rem 0 0; }
.output_area pre { background: #fff; border-left: 3px solid #ddd; color: #444; margin-bottom: .9rem; }
:not(pre) > code { font: .88em ui-monospace, Menlo, Consolas, monospace; background: #f2f2f2; padding: .05em .25em; }
img { max-width: 100%; height: auto; display: block; margin: .9rem auto; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", math, serif; font-size: 1.05em; }
 math[display=block] { overflow-x: auto; overflow-y: hidden; margin: .9rem 0;
  padding-block: .2rem; }
blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: 3px solid #D55E00; background: #fdf6f1; }
details { margin: .9rem 0; padding: .4rem .9rem; border: 1px solid #ddd; border-radius: 4px; }
summary { cursor: pointer; font: 15px system-ui, sans-serif; color: #0072B2; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .92em; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: left; }
.contents section { border-top: 1px solid #ddd; padding: .4rem 0 1rem; }
@media (max-width: 40rem) { body { font-size: 16px; } pre { font-size: 12px; } h1 { font-size: 1.5rem; }
  .lesson .output_png { overflow-x: auto; } .lesson img { max-width: none; width: 36rem; } }
"""

PAGE = """<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{navigation}
<main class="{kind}">
{body}
</main>
{navigation}
</body>
</html>
"""


class _Renderer(IPythonRenderer):
    """Markdown, with formulas as MathML."""

    def inline_math(self, body):
        return convert(body)

    def block_math(self, body):
        return convert(body, display="block")

    def multiline_math(self, text):
        return convert(text.strip().removeprefix("$$").removesuffix("$$"), display="block")


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context, source):
        return MarkdownWithMath(renderer=_Renderer(escape=False, anchor_link_text="")).render(source)


def write_pages(notebooks, folder):
    """A page for each notebook, and index.html, the contents. UserError for a notebook that is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    read = [(path, _read(path)) for path in notebooks]
    titles = [_title(notebook) for _, notebook in read]
    names = [f"{path.stem}.html" for path in notebooks]
    exporter = _Exporter(template_name="basic")
    for i, (_, notebook) in enumerate(read):
        before = (names[i - 1], f"← {titles[i - 1]}") if i else None
        after = (names[i + 1], f"{titles[i + 1]} →") if i + 1 < len(names) else None
        navigation = _navigation(before, ("index.html", "Contents"), after)
        body, _ = exporter.from_notebook_node(notebook)
        body = re.sub(rf'href="({"|".join(path.stem for path in notebooks)})\.ipynb"', r'href="\1.html"', body)
        _write(folder / names[i], titles[i], navigation, body)
    sections = [
        f'<section><h2><a href="{name}">{html.escape(title)}</a></h2>{_teaser(notebook)}</section>'
        for name, title, (_, notebook) in zip(names, titles, read)
    ]
    body = "<h1>From one scalar to AlexNet</h1>\n" + "\n".join(sections)
    _write(folder / "index.html", "From one scalar to AlexNet", "", body, "contents")


def _write(path, title, navigation, body, kind="lesson"):
    style = STYLE + HtmlFormatter(style="default").get_style_defs(".highlight")
    page = PAGE.format(title=html.escape(title), style=style, navigation=navigation, body=body, kind=kind)
    files.write_text(path, page)


def _read(path):
    if not path.exists():
        raise cli.UserError(f"{path} is missing: python tutorials/build.py {path.stem} makes it")
    return nbformat.read(path, as_version=4)


def _title(notebook):
    return re.match(r"# (.+)", notebook.cells[0].source)[1]


def _navigation(*links):
    parts = [f'<a href="{link[0]}">{html.escape(link[1])}</a>' if link else "<span></span>" for link in links]
    return f"<nav>{''.join(parts)}</nav>"


def _teaser(notebook):
    """The question that a lesson opens with, and its first figure."""
    question = notebook.cells[0].source.split("\n\n")[1]
    text = MarkdownWithMath(renderer=_Renderer(escape=False)).render(question)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                description = html.escape(output.metadata.get("image/png", {}).get("alt", ""))
                return f'{text}<img src="data:image/png;base64,{output.data["image/png"].strip()}" alt="{description}">'
    return text
