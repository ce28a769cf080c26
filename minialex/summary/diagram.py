"""A network as a class diagram or a sequence diagram in Mermaid's language."""

from __future__ import annotations

import re

from .. import nn
from ..models.layout import has_weights
from .tables import by, kind_of

KINDS = {nn.Conv2d: "ConvLayer", nn.Local2d: "LocalLayer", nn.Linear: "FullyConnectedLayer"}
CLASSES = """\
    class ConvLayer {
        +int in_channels
        +int out_channels
        +int[2] kernel_size
        +int[2] stride
        +padding
        +int groups
        +Tensor weight
        +Tensor bias
        +forward(x) y
    }
    class FullyConnectedLayer {
        +int in_features
        +int out_features
        +Tensor weight
        +Tensor bias
        +forward(x) y
    }"""

LOCAL = CLASSES.partition("    class Fully")[0].rstrip("\n").replace("ConvLayer", "LocalLayer")  # the same members

# Words with a meaning of their own in sequence diagrams, which no participant may be called.
RESERVED = {
    "activate", "actor", "alt", "and", "as", "autonumber", "box", "break", "create", "critical", "deactivate",
    "destroy", "details", "else", "end", "left", "link", "links", "loop", "note", "off", "opt", "option", "over",
    "par", "par_over", "participant", "properties", "rect", "right", "sequencediagram", "title",
}  # fmt: skip


def class_diagram(name, rows):
    """A Mermaid class diagram of a network's layers with weights.

    name: of the network.
    rows: its models.layout.layout.

    Returns the text.
    """
    weighted = [row for row in rows if has_weights(row.layer)]
    kinds = {row.name: next(kind for of, kind in KINDS.items() if isinstance(row.layer, of)) for row in weighted}
    name = re.sub(r"\W+", "_", name)
    lines = ["classDiagram", f"    class {name} {{"]
    names = {row.name: f"{kinds[row.name]} {_member(row.name)}" for row in weighted}
    lines += [f"        +{names[row.name]} : {by(row.input)} to {by(row.output)}" for row in weighted]
    lines += ["        +forward(x) logits", "    }", CLASSES]
    lines += [LOCAL] * ("LocalLayer" in kinds.values())
    for kind in dict.fromkeys(kinds.values()):
        members = [_member(layer) for layer, its in kinds.items() if its == kind]
        lines.append(f'    {name} *-- "{len(members)}" {kind} : {", ".join(members)}')
    return "\n".join(lines)


def sequence_diagram(name, rows):
    """A Mermaid sequence diagram of a training step: a picture through the layers, and the gradients back.

    name: of the network.
    rows: its models.layout.layout.

    Returns the text. No gradient is computed for the picture, as in training.
    """
    sources = [source for row in rows for source in row.sources]
    first = next(source for source in sources if source not in {row.name for row in rows})
    names = [first, *(row.name for row in rows), "loss"]
    known = dict(zip(names[:-1], _participants(names[:-1])))
    loss = _participants(names)[-1]
    shapes = {first: rows[0].input} | {row.name: row.output for row in rows}
    lines = ["sequenceDiagram", f"    participant {known[first]} as picture"]
    lines += [f"    participant {known[row.name]} as {escaped(f'{row.name}: {kind_of(row.layer)}')}" for row in rows]
    lines += [f"    participant {loss} as loss", f"    Note over {known[first]},{loss}: {escaped(name)}, forward"]
    for row in rows:
        lines += [f"    {known[source]}->>{known[row.name]}: {by(shapes[source])}" for source in row.sources]
    lines += [f"    {known[rows[-1].name]}->>{loss}: logits, {by(rows[-1].output)}"]
    lines += [f"    Note over {known[first]},{loss}: backward, gradients of the loss"]
    lines += [f"    {loss}-->>{known[rows[-1].name]}: {by(rows[-1].output)}"]
    for row in reversed(rows):
        lines += [f"    Note over {known[row.name]}: {_of_weights(row)}"] * bool(row.trainable)
        back = [source for source in row.sources if source != first]
        lines += [f"    {known[row.name]}-->>{known[source]}: {by(shapes[source])}" for source in back]
    return "\n".join(lines)


def _of_weights(row):
    """The gradients of a layer's own parameters, as text."""
    return "gradients of " + ", ".join(
        f"{name} {by(p.shape)}" for name, p in row.layer.named_parameters() if p.requires_grad
    )


def _participants(names):
    """An identifier for each name, all different: letters, digits and underscores, and no reserved word."""
    made: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = f"layer_{plain}" if not plain[:1].isalpha() or plain.lower() in RESERVED else plain
        while plain.lower() in {other.lower() for other in made}:
            plain += "_"
        made.append(plain)
    return made


def escaped(text):
    """A text as a label in Mermaid: characters that would end it, or begin an entity, as entities."""
    return re.sub(r"[#;<>\n\r]", lambda match: f"#{ord(match[0])};", text)


def _member(name):
    """A name of a layer as the name of a member of a class: letters, digits, points and underscores."""
    return re.sub(r"[^\w.]", "_", name)
