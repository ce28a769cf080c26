"""Which layers a page shows: every class of minialex.nn is one of them, or has a reason why not."""

from __future__ import annotations

import explored
import numpy as np
import pytest

from minialex import explore, nn
from minialex.explore import describing
from minialex.models.layout import layout

LOSS, CONTAINER = "a loss: no layer of a classifier in evaluation", "its layers are shown, not itself"
NOT_SHOWN = {
    **dict.fromkeys(("BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss"), LOSS),
    **dict.fromkeys(("NLLLoss", "SmoothL1Loss"), LOSS),
    **dict.fromkeys(("Graph", "Module", "ModuleDict", "ModuleList", "Sequential"), CONTAINER),
}


def test_every_class_is_shown_or_has_a_reason():
    classes = {
        name for name in nn.__all__ if isinstance(kind := getattr(nn, name), type) and issubclass(kind, nn.Module)
    }
    shown = {kind.__name__ for kind in describing._SETTINGS}
    assert shown | NOT_SHOWN.keys() == classes and not shown & NOT_SHOWN.keys()


def test_every_shown_class_is_compared_with_minialex_in_the_browser():
    networks = [make() for make in explored.NETWORKS]
    compared = {type(row.layer) for model, shape in networks for row in layout(model, shape)}
    assert compared == describing._SETTINGS.keys()


def test_a_softmax_at_the_end_is_the_page_s_own():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Softmax(dim=1)).eval()
    assert [layer["kind"] for layer in explore.describe(model, (3, 2, 2))] == [
        "picture",
        "flatten",
        "linear",
        "softmax",
    ]


def after(layer, shape, *sources):
    """A network in which a layer comes after one that keeps the picture."""
    count = int(np.prod(layout(nn.Sequential(nn.Identity(), layer), shape)[-1].output))
    return nn.Sequential(nn.Identity(), layer, nn.Flatten(), nn.Linear(count, 2))


REFUSED = {
    "of another axis": after(nn.Softmax(2), (3, 4, 5)),
    "an unknown function": after(nn.Call("cumsum", dim=2), (3, 4, 5)),
    "an array as its constant": after(nn.Call("add", other=np.ones((3, 1, 1), np.float32)), (3, 4, 5)),
    "places as well": nn.Sequential(nn.Flatten(), nn.Linear(60, 2), nn.Call("clone")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_is_named(case):
    with pytest.raises(ValueError, match=r"layer [12], .* cannot be computed in a page; these can: Conv2d, "):
        explore.describe(REFUSED[case].eval(), (3, 4, 5))


def test_maps_joined_with_vectors_are_refused():
    layers = [("v", nn.Call("mean", dim=(2, 3)), ["x"]), ("sum", nn.Add(), ["x", "v"]), ("f", nn.Flatten(), ["sum"])]
    model = nn.Graph([*layers, ("fc", nn.Linear(8, 2), ["f"])])
    with pytest.raises(ValueError, match="layer sum joins maps with vectors"):
        explore.describe(model.eval(), (2, 2, 2))


def test_a_setting_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="layer 1 cannot be shown in a page: its k is inf, not a finite number"):
        explore.describe(after(nn.LocalResponseNorm(3, k=np.inf), (3, 4, 5)).eval(), (3, 4, 5))
