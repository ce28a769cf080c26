"""Copies of source files as pages with an anchor for every line, and links to them wherever a text names a file."""

from __future__ import annotations

import ast
import html
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from . import frame

_FILE = re.compile(r"<code>((?:minialex|kernels|tests|tutorials)/[\w/.]+\.(?:py|cu|cuh|h|toml|csv))</code>")
_WORD = re.compile(r"<code>([A-Za-z_][\w.]*)</code>")
_ANY = re.compile(r"<code>[^<]*</code>")


class Sources:
    """Which files are linked to, and the lines at which they define their names.

    root: of the checkout.
    """

    def __init__(self, root):
        self.root, self.used, self._names = root, set(), {}

    def link(self, path, line=None):
        """The address of a file's page, or of one of its lines; the file will be written."""
        self.used.add(path)
        return f"source/{path.replace('/', '.')}.html{f'#L-{line}' if line else ''}"

    def linked(self, body):
        """HTML in which every file that is named leads to its page, and names of what it defines to their lines."""
        return re.sub(r"(<(li|p|td)>)(.*?)(</\2>)", lambda m: m[1] + self._block(m[3]) + m[4], body, flags=re.DOTALL)

    def _block(self, text):
        current = None

        def link(match):
            nonlocal current
            file = _FILE.fullmatch(match[0])
            if file and (self.root / file[1]).is_file():
                current = file[1]
                return f'<a href="{self.link(current)}">{match[0]}</a>'
            word = _WORD.fullmatch(match[0])
            line = self.names(current).get(word[1]) if current and word else None
            return f'<a href="{self.link(current, line)}">{match[0]}</a>' if line else match[0]

        return _ANY.sub(link, text)

    def names(self, path):
        """{name, also without what it stands in: line} of what a file defines."""
        if path not in self._names:
            text = (self.root / path).read_text(encoding="utf-8")
            self._names[path] = _python(text) if path.endswith(".py") else _other(text)
        return self._names[path]

    def write(self, folder):
        """Write the pages of all files that were linked to."""
        (folder / "source").mkdir(exist_ok=True)
        formatter = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True, wrapcode=True)
        for path in sorted(self.used):
            text = (self.root / path).read_text(encoding="utf-8")
            try:
                lexer = get_lexer_for_filename(path.replace(".cuh", ".cu"))
            except ClassNotFound:
                lexer = TextLexer()
            body = f"<h1><code>{html.escape(path)}</code></h1>\n{highlight(text, lexer, formatter)}"
            frame.page(folder / "source" / f"{path.replace('/', '.')}.html", path, body, kind="source")


def _python(text):
    found = {}

    def visit(node, prefix):
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                name = f"{prefix}{inner.name}"
                found[name] = inner.lineno
                found.setdefault(inner.name, inner.lineno)
                visit(inner, f"{name}.")
            elif isinstance(inner, ast.Assign):
                for target in inner.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, inner.lineno)

    visit(ast.parse(text), "")
    return found


def _other(text):
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r".*\b(?:void|struct|class|__device__ \w+|REAL) (\w+)\s*[({:]", line) or re.match(
            r"\s*(?:struct|class) (\w+)\s*$", line
        )
        if match:
            found.setdefault(match[1], number)
    return found
