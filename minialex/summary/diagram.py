"""A network as a class diagram in Mermaid's language."""

from __future__ import annotations

import re

from .. import nn
from ..models.layout import has_weights
from .tables import by

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


def class_diagram(name, rows):
    """A Mermaid class diagram of a network's layers with weights.

    name: of the network.
    rows: its models.layout.layout.

    Returns the text.
    """
    weighted = [row for row in rows if has_weights(row.layer)]
    kinds = {row.name: "ConvLayer" if isinstance(row.layer, nn.Conv2d) else "FullyConnectedLayer" for row in weighted}
    name = re.sub(r"\W+", "_", name)
    lines = ["classDiagram", f"    class {name} {{"]
    lines += [f"        +{kinds[row.name]} {row.name} : {by(row.input)} to {by(row.output)}" for row in weighted]
    lines += ["        +forward(x) logits", "    }", CLASSES]
    for kind in dict.fromkeys(kinds.values()):
        members = [layer for layer, its in kinds.items() if its == kind]
        lines.append(f'    {name} *-- "{len(members)}" {kind} : {", ".join(members)}')
    return "\n".join(lines)
