"""explore.trace: what is kept of the tape's work is exactly what the tape did, and the tape is left as it was."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading

import numpy as np
import pytest

from minialex import explore, functional, nn, optim, tape
from minialex.explore import captured, recorder, sources, tracing
from minialex.tensor import Tensor, no_grad


def steps_of(steps, *phases):
    return [step for step in steps.data["steps"] if step["phase"] in phases]


def numbers(steps, step, label):
    """The array of a step as its shape and numbers have it."""
    (index,) = (index for name, index, _ in step["values"] if name == label)
    kept = steps.data["arrays"][index]
    return np.array(kept["numbers"], kept["dtype"]).reshape(kept["shape"])


def node(steps, step):
    return steps.data["nodes"][step["node"]]


@pytest.fixture
def shared(rng):
    """(leaves, tensors by name with retained gradients, the steps) of a graph in which h is used three times."""
    x, w = (Tensor(rng.normal(size=shape).astype(np.float32), requires_grad=True) for shape in ((2, 3), (3, 4)))
    with explore.trace() as steps:
        h = x @ w
        y = (h * h).sigmoid()
        z = y + x.sum() * h
        for tensor in (h, y, z):
            tensor.retain_grad()
        z.backward(rng.normal(size=(2, 4)).astype(np.float32))
    return {"x": x, "w": w}, {"h": h, "y": y, "z": z}, steps


def test_every_number_is_the_engine_s(shared):
    leaves, tensors, steps = shared
    for step in steps_of(steps, "forward"):
        name = node(steps, step)["variable"]
        if name in tensors:
            assert np.array_equal(numbers(steps, step, "y"), tensors[name].numpy())
    arrived = {node(steps, s)["variable"]: numbers(steps, s, "gy") for s in steps_of(steps, "backward")}
    for name, tensor in tensors.items():
        assert np.array_equal(arrived[name], tensor.grad.numpy())
    delivered = {node(steps, s)["variable"]: numbers(steps, s, ".grad") for s in steps_of(steps, "leaf")}
    for name, leaf in leaves.items():
        assert np.array_equal(delivered[name], leaf.grad.numpy())


def test_gradients_that_meet_are_added_one_by_one(shared):
    """h has three gradients, of which the first is only kept; x has two."""
    _, tensors, steps = shared
    sums = steps_of(steps, "sum")
    assert [node(steps, step)["variable"] for step in sums] == ["h", "h", "x"]
    for step in sums:
        so_far, arriving, total = (numbers(steps, step, label) for label in ("so far", "arriving", "sum"))
        assert np.array_equal(so_far + arriving, total) and arriving.any()
    assert np.array_equal(numbers(steps, sums[1], "so far"), numbers(steps, sums[0], "sum"))
    assert np.array_equal(numbers(steps, sums[1], "sum"), tensors["h"].grad.numpy())


def test_backwards_run_in_the_order_of_the_tape(rng):
    x = Tensor(rng.normal(size=3), requires_grad=True)
    with explore.trace() as steps:
        a = x.exp()
        y = (a * x.tanh() + a).sum()
        expected = [n.name if isinstance(n, tape.Node) else "x" for n in tape.sorted_nodes(y.edge)]
        y.backward()
    ran = [node(steps, s)["name"] if s["phase"] == "backward" else "x" for s in steps_of(steps, "backward", "leaf")]
    assert ran == expected
    for step in steps_of(steps, "backward"):  # what is handed on is handed to the inputs
        handed = [number for label, _, number in step["values"] if label.startswith("gradient of input")]
        assert handed == node(steps, step)["inputs"]


def test_gradients_are_finite_differences(rng):
    w = rng.normal(size=(3, 2, 2, 2))

    def loss(weight, x):
        return functional.max_pool2d(functional.conv2d(x, weight, padding=1).tanh(), 2).mul(x.sum()).mean()

    x = Tensor(rng.normal(size=(1, 2, 4, 3)), requires_grad=True)
    with explore.trace() as steps:
        weight = Tensor(w, requires_grad=True)
        loss(weight, x).backward()
    (leaf,) = (s for s in steps_of(steps, "leaf") if node(steps, s)["variable"] == "weight")
    found = numbers(steps, leaf, ".grad")
    for at in np.ndindex(w.shape):
        h = np.zeros_like(w)
        h[at] = 1e-6
        with no_grad():
            slope = (loss(Tensor(w + h), x) - loss(Tensor(w - h), x)).item() / 2e-6
        assert found[at] == pytest.approx(slope, abs=1e-8)


def test_a_second_backward_adds_to_grad(rng):
    x = Tensor(rng.normal(size=3).astype(np.float32), requires_grad=True)
    with explore.trace() as steps:
        (x * x).sum().backward()
        x.exp().sum().backward()
    first, second = steps_of(steps, "leaf")
    assert [label for label, *_ in first["values"]] == ["arriving", ".grad"]
    assert np.array_equal(numbers(steps, second, ".grad before"), numbers(steps, first, ".grad"))
    total = numbers(steps, second, ".grad before") + numbers(steps, second, "arriving")
    assert np.array_equal(numbers(steps, second, ".grad"), total) and np.array_equal(total, x.grad.numpy())


def test_an_operation_in_place_shows_what_it_overwrote(rng):
    x = Tensor(rng.normal(size=(2, 3)).astype(np.float32), requires_grad=True)
    before = (x.numpy() + 1).copy()
    with explore.trace() as steps:
        y = functional.relu(x + 1, inplace=True)
        y.sum().backward()
    relu = steps_of(steps, "forward")[1]
    assert np.array_equal(numbers(steps, relu, "input 1"), before)
    assert np.array_equal(numbers(steps, relu, "y"), np.maximum(before, 0))
    assert [node(steps, s)["name"] for s in steps_of(steps, "backward")] == ["sum", "relu", "add"]


def test_a_graph_from_before_the_trace(rng):
    x = Tensor(rng.normal(size=3), requires_grad=True)
    y = (x * x).sum()
    with explore.trace() as steps:
        y.backward(retain_graph=True)
        y.backward()
    assert [node(steps, s)["name"] for s in steps_of(steps, "backward")] == ["sum", "mul"] * 2
    assert node(steps, steps_of(steps, "leaf")[0])["variable"] == "x"
    assert np.array_equal(numbers(steps, steps_of(steps, "leaf")[1], ".grad"), x.grad.numpy())


def test_a_step_of_the_optimizer(rng):
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        with explore.trace() as steps:
            loss = functional.cross_entropy(model(Tensor(rng.normal(size=(4, 3)).astype(np.float32))), np.arange(4) % 2)
            loss.backward()
            optimizer.step()
    weight, bias = steps_of(steps, "update")
    assert [node(steps, s)["variable"] for s in (weight, bias)] == ["0.weight", "0.bias"]
    v = np.float32(0.9) * numbers(steps, weight, "momentum_buffer before") + numbers(steps, weight, "gradient")
    assert np.allclose(numbers(steps, weight, "momentum_buffer"), v, rtol=1e-6)
    after = numbers(steps, weight, "before") - np.float32(0.1) * numbers(steps, weight, "momentum_buffer")
    assert np.allclose(numbers(steps, weight, "after"), after, rtol=1e-6)
    assert np.array_equal(numbers(steps, weight, "after"), model[0].weight.numpy())
    assert weight["about"] == "SGD: lr 0.1, momentum 0.9"
    assert node(steps, steps_of(steps, "forward")[0])["module"] == "0 (Linear)"


def lit(steps, step):
    """The texts of the lit lines, by file."""
    found = {}
    for source, lines in step["lit"]:
        data = steps.data["sources"][source]
        found[data["file"]] = [text.strip() for number, text in data["lines"] if number in lines]
    return found


def test_the_lines_that_compute_are_lit(rng):
    x = Tensor(rng.normal(size=3), requires_grad=True)
    with explore.trace() as steps:
        y = x.relu()
        y.sum().backward()
    forward, backward = steps_of(steps, "forward")[0], steps_of(steps, "backward")[1]
    ours = "minialex/functional/activation.py"
    assert lit(steps, forward)["test_tracing.py"] == lit(steps, backward)["test_tracing.py"] == ["y = x.relu()"]
    assert any(line.startswith("y = backend.relu(") for line in lit(steps, forward)[ours])
    assert lit(steps, backward)[ours] == ["def backward(gy):", "return (backend.relu_backward(gy, y),)"]
    assert not any("def backward" in line or '"""' in line for line in lit(steps, forward)[ours])
    assert node(steps, forward)["formulas"].startswith("y = max(x, 0)")
    for source in steps.data["sources"]:
        assert len(source["lines"]) <= sources.LINES


def test_lines_of_one_s_own_that_are_far_apart_or_unknown(tmp_path):
    (tmp_path / "far.py").write_text("\n".join(f"line {n}" for n in range(1, 2001)))
    found = sources.own(str(tmp_path / "far.py"), {3, 1000, 1999})
    assert found["file"] == "far.py"
    expected = [*range(1, 8), *range(996, 1005), *range(1995, 2001)]
    assert found["lines"] == [[n, f"line {n}"] for n in expected]
    assert len(sources.own(str(tmp_path / "far.py"), {*range(1, 2001)})["lines"]) == sources.LINES
    code = "x = Tensor(2.0, requires_grad=True)\nwith explore.trace() as steps:\n    (x * x).backward()"
    names = {"Tensor": Tensor, "explore": explore}
    exec(compile(code, "<nowhere>", "exec"), names)
    assert [len(step["lit"]) for step in names["steps"].data["steps"]] == [1, 1, 0, 0], "minialex's lines alone"


def test_it_stops_with_a_sentence(monkeypatch, rng):
    monkeypatch.setattr(recorder, "OPERATIONS", 3)
    x = Tensor(rng.normal(size=3), requires_grad=True)
    with explore.trace() as steps:
        (x.exp().exp() * 0.1).exp().sum().backward()
    assert len(steps) == 3 and "at most 3 operations" in steps.data["stopped"]
    assert x.grad is not None
    monkeypatch.setattr(recorder, "STEPS", 5)
    monkeypatch.setattr(recorder, "OPERATIONS", 300)
    with explore.trace() as steps:
        (x * x).exp().sum().backward()
        held = len(steps.data["arrays"])
        for _ in range(3):
            (x * rng.normal(size=3)).sum().backward()
    assert len(steps) == 5 and "at most 5 steps" in steps.data["stopped"] and "sum" in steps.page()
    assert len(steps.data["arrays"]) == held, "what is not shown is not kept"


def test_the_tape_is_left_as_it_was(rng):
    before = {(owner, name): vars(owner)[name] for owner, name in tracing._REPLACED}
    x = Tensor(rng.normal(size=3), requires_grad=True)
    elsewhere = Tensor(rng.normal(size=3), requires_grad=True)
    with contextlib.suppress(RuntimeError), explore.trace() as outer, explore.trace() as inner:
        thread = threading.Thread(target=lambda: elsewhere.exp().sum().backward())
        thread.start()
        thread.join()
        x.exp().sum().backward()
        raise RuntimeError
    assert {(owner, name): vars(owner)[name] for owner, name in tracing._REPLACED} == before
    assert [node(inner, s)["name"] for s in steps_of(inner, "forward")] == ["exp", "sum"]
    assert len(outer) == 0 and elsewhere.grad is not None
    with pytest.raises(ValueError, match="the trace is empty: call what is to be seen within"):
        outer.page()


def test_large_arrays_are_pictures_of_eight_bits(rng):
    array = rng.normal(size=(3, 5, 40, 50)).astype(np.float32)
    array[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    kept = captured.captured(array)
    count, height, width = kept["tiles"]
    pixels = np.frombuffer(base64.b64decode(kept["pixels"]), np.uint8).reshape(count, height, width)
    assert pixels.size <= captured.PIXELS and kept["step"] == 1 and (height, width) == (40, 50)
    finite = array[np.isfinite(array)].astype(np.float64)
    assert (kept["low"], kept["high"], kept["mean"]) == (finite.min(), finite.max(), finite.mean())
    assert (pixels[0, 0, :3] == captured.NOT_FINITE).all()
    shown = kept["low"] + (kept["high"] - kept["low"]) * pixels[0].astype(float) / 254
    assert np.nanmax(np.abs(shown - array[0, 0])[0, 3:]) <= (kept["high"] - kept["low"]) / 500


@pytest.mark.parametrize("shape", [(65,), (3, 70), (2, 5_000), (10**6,), (300, 200), (7, 3, 224, 224), (0, 5), ()])
def test_no_array_is_kept_larger_than_stated(shape):
    kept = captured.captured(np.zeros(shape, np.float32))
    assert kept["shape"] == list(shape) and len(json.dumps(kept)) < 4 * captured.PIXELS
    if "tiles" in kept:
        assert 0 < np.prod(kept["tiles"]) == len(base64.b64decode(kept["pixels"])) <= captured.PIXELS


def test_numbers_are_the_shortest_decimals(rng):
    values = np.array([0.1, 1e-30, 3.4e38, -0.0, 2 / 3], np.float32)
    kept = captured.captured(values)["numbers"]
    assert kept[0] == 0.1 and np.array_equal(np.array(kept, np.float32), values)
    assert captured.captured(np.array([np.nan, np.inf, -np.inf]))["numbers"] == ["NaN", "Infinity", "-Infinity"]
    assert captured.captured(np.array([True, False]))["numbers"] == [1, 0]
    assert captured.captured(rng.normal(size=3))["dtype"] == "float64"


def test_a_cell_shows_the_page(shared):
    """Nothing that the data holds can end its block: it has no < at all."""
    _, _, steps = shared
    page = steps.page("</script><b>")
    data = re.search(r'<script type="application/json" id="network">([^<]*)</script>', page)[1]
    assert json.loads(data)["trace"] == steps.data and page.count("<script") == 2 and "default-src 'none'" in page
    cell = steps._repr_html_()
    assert cell.startswith('<iframe sandbox="allow-scripts"') and "srcdoc=" in cell


def test_what_hooks_make_of_a_gradient_is_shown():
    x = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    with explore.trace() as steps:
        y = x * x
        y.register_hook(lambda gradient: 10 * gradient)
        y.register_hook(lambda gradient: None)
        x.register_hook(lambda gradient: gradient + 1)
        y.sum().backward()
    _, product = steps_of(steps, "backward")
    assert numbers(steps, product, "gy").tolist() == [1, 1]
    assert numbers(steps, product, "gy after its hooks").tolist() == [10, 10]
    (leaf,) = steps_of(steps, "leaf")
    assert numbers(steps, leaf, "arriving").tolist() == [20, 40]
    assert numbers(steps, leaf, "arriving, after its hooks").tolist() == x.grad.numpy().tolist() == [21, 41]
