"""A reference of the library, from its docstrings."""

from __future__ import annotations

import html
import importlib
import inspect
import re
from pathlib import Path

import minialex

from . import frame

ROOT = Path(minialex.__file__).parents[1]
MODULES = {
    "minialex": "tensors, and what makes them",
    "minialex.functional": "operations, each with its backward",
    "minialex.nn": "layers",
    "minialex.nn.init": "initial values",
    "minialex.optim": "optimisers and schedules",
    "minialex.data": "data sets, transforms, loaders",
    "minialex.models": "the networks called AlexNet, and smaller ones",
    "minialex.gradcheck": "finite differences",
}


def write(folder, sources):
    """Write reference.html and a page for each module; returns what a search finds, (page, anchor, name, text)."""
    found, items = [], []
    for name, words in MODULES.items():
        module = importlib.import_module(name)
        page = f"reference.{name}.html"
        entries = [_entry(label, thing, sources) for label, thing in _public(module)]
        entries = [entry for entry in entries if entry]
        links = " ".join(f'<a href="{page}#{label}"><code>{label}</code></a>' for label, _, _ in entries)
        items.append(
            f'<h2 id="{name}"><a href="{page}"><code>{name}</code></a>: {words}</h2>\n<p class="names">{links}</p>'
        )
        body = f"<h1><code>{name}</code></h1>\n<p>{html.escape(words.capitalize())}.</p>\n"
        body += "\n".join(text for _, text, _ in entries)
        headings = [(2, label, f"<code>{label}</code>") for label, _, _ in entries]
        frame.page(folder / page, name, body, headings=headings, kind="lesson")
        found += [(page, label, f"{name}.{label}", text) for label, _, text in entries]
    body = "<h1>Reference</h1>\n<p>What the package offers, in the words of its docstrings.</p>\n" + "\n".join(items)
    frame.page(folder / "reference.html", "Reference", body)
    return found


def _public(module):
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    for name in sorted(names, key=str.lower):
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            home = inspect.getmodule(thing)
            if home is not None and (home.__name__ + ".").startswith("minialex."):
                yield name, thing


def _entry(name, thing, sources):
    """(name, HTML, text to be found) of a function or a class; None where nothing is said of it."""
    text = inspect.getdoc(thing)
    if not text:
        return None
    body = f'<section class="entry"><h2 id="{name}"><code>{name}</code> {_source(thing, sources)}</h2>\n'
    body += f'<pre class="signature">{html.escape(name + _signature(thing))}</pre>\n{_prose(text)}'
    if inspect.isclass(thing):
        rows = "".join(_method(label, member) for label, member in sorted(vars(thing).items()) if label[0] != "_")
        body += f'<dl class="methods">{rows}</dl>' if rows else ""
    return name, body + "</section>", " ".join(text.split())


def _method(name, member):
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    if not inspect.isfunction(function) or not function.__doc__:  # what is inherited says nothing new
        return ""
    text = inspect.cleandoc(function.__doc__)
    shown = name if isinstance(member, property) else name + _signature(function, method=True)
    return f"<dt><code>{html.escape(shown)}</code></dt><dd>{html.escape(text.split(chr(10) * 2)[0])}</dd>"


def _signature(thing, method=False):
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return "(...)"
    parameters = [
        p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "self" or not method
    ]
    bare = inspect.Signature(parameters)
    return re.sub(r"<function (\w+) at 0x\w+>", r"\1", str(bare))


def _source(thing, sources):
    thing = inspect.unwrap(thing)
    try:
        file, (_, line) = Path(inspect.getsourcefile(thing)), inspect.getsourcelines(thing)
    except (OSError, TypeError):
        return ""
    if not file.is_relative_to(ROOT):
        return ""
    path = file.relative_to(ROOT).as_posix()
    return f'<a class="origin" href="{sources.link(path, line)}">{path}</a>'


def _prose(text):
    """A docstring as it stands, its first line as a sentence."""
    first, _, rest = text.partition("\n")
    rest = rest.strip("\n")
    return f"<p>{html.escape(first)}</p>\n" + (f'<pre class="doc">{html.escape(rest)}</pre>\n' if rest else "")
