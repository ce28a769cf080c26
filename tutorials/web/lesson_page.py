"""One lesson as a page: predictions are asked for, and what they are about is behind a fold until then."""

from __future__ import annotations

import html
import json
import re

import notebooks
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from . import frame


class Lesson:
    """A notebook, read.

    path: of the notebook.
    """

    def __init__(self, path):
        self.path, self.name = path, f"{path.stem}.html"
        self.cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        opening = notebooks.unfolded(self.cells[0])[0]
        self.title = re.match(r"# (.+)", opening)[1]
        self.number = int(self.title.split(".")[0])
        self.question = opening.split("\n\n")[1]

    def render(self):
        """(HTML, headings, [(anchor, heading, text to be found)]) of the page's body."""
        renderer = frame.Renderer()
        parts, fold, predictions = [], [], 0
        sections = [("", self.title, [])]

        def close():
            if fold:
                inside = "\n".join(fold)
                parts.append(
                    f'<details class="outcome" data-of="{predictions}">'
                    f"<summary>After your prediction: what came out</summary>\n{inside}\n</details>"
                )
                fold.clear()

        for cell in self.cells:
            source, outputs = notebooks.unfolded(cell)
            tags = notebooks.tags(cell)
            if "outcome" not in tags:
                close()
            if cell["cell_type"] == "markdown":
                text = frame.markdown(source, renderer)
                if "outcome" not in tags:
                    _collect(sections, text)
            elif "prediction" in tags:
                predictions += 1
                text = _form(predictions, source, cell["metadata"].get("choices"))
            else:
                text = code(source) + "".join(map(_output, [] if "exercise" in tags else outputs))
            (fold if "outcome" in tags else parts).append(text)
        close()
        body = "\n".join(parts)
        run = f'<p class="run">Run it: <code>python -m minialex.tutorials --open {self.number}</code></p>'
        body = body.replace("</h1>", f"</h1>\n{run}", 1)
        found = [(anchor, heading, " ".join(words)) for anchor, heading, words in sections]
        return body, renderer.headings, found

    def teaser(self):
        """The question, and the first figure that is in the open."""
        text = frame.markdown(self.question)
        for cell in self.cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    return text + _image(output)
        return text


def _collect(sections, text):
    """Add what a text says to the section that it stands in; solutions are not to be found by searching."""
    text = re.sub(r"<details>.*?</details>|<math.*?</math>", " ", text, flags=re.DOTALL)
    pieces = re.split(r'(<h[123] id="[^"]*">.*?</h[123]>)', text, flags=re.DOTALL)
    for piece in pieces:
        heading = re.match(r'<h[123] id="([^"]*)">(.*?)(?: <a class="anchor".*)?</h[123]>', piece, re.DOTALL)
        if heading:
            sections.append((heading[1], frame.plain(heading[2]), []))
        else:
            sections[-1][2].append(frame.plain(piece))


def _form(number, source, choices):
    """The question to the reader: a text, or a choice."""
    asked = source.partition("#")[2].strip()
    label = f"Your prediction{f': {html.escape(asked)}' if asked else ''}"
    if choices:
        given = "".join(
            f'<label><input type="radio" name="prediction" value="{html.escape(choice)}"> {html.escape(choice)}</label>'
            for choice in choices
        )
        field = f"<fieldset><legend>{label}</legend>{given}</fieldset>"
    else:
        field = f'<label>{label} <input name="prediction" autocomplete="off"></label>'
    return (
        f'<form class="prediction" data-of="{number}" hidden>{field}<p><button>Show what came out</button> '
        f'<button type="button" class="quiet">I would rather not predict</button></p>'
        f'<p class="said" role="status"></p></form>'
    )


def code(source):
    """A cell's code; what only draws is folded."""
    first = notebooks.drawn_from(source)
    if first is None:
        return _highlighted(source)
    lines = source.splitlines()
    above = _highlighted("\n".join(lines[:first])) if any(line.strip() for line in lines[:first]) else ""
    below = _highlighted("\n".join(lines[first:]))
    return f'{above}<details class="drawing"><summary>Code that draws</summary>{below}</details>'


def _highlighted(source):
    return f'<div class="code">{highlight(source, PythonLexer(), HtmlFormatter())}</div>'


def _output(output):
    if output["output_type"] == "stream":
        return f'<pre class="output">{html.escape("".join(output["text"]))}</pre>'
    data = output.get("data", {})
    if "image/png" in data:
        return _image(output)
    return f'<pre class="output">{html.escape("".join(data.get("text/plain", "")))}</pre>'


def _image(output):
    words = html.escape(output["metadata"].get("image/png", {}).get("alt", ""))
    data = "".join(output["data"]["image/png"]).strip()
    return f'<figure><img src="data:image/png;base64,{data}" alt="{words}"></figure>'
