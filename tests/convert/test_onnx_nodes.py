"""ONNX's own tests of its operators, run on the networks that we read: each passes, or is excluded for a reason."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import numpy as np
import pytest

from minialex import Tensor, nn, no_grad

pytest.importorskip("onnx", reason="onnx is not installed")
import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep

from minialex.convert import onnx_file
from minialex.convert.onnx_graph import OPERATORS
from minialex.convert.onnx_tensors import Fault, Tensors
from minialex.models import graph

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
_AT_LEAST = 390  # of the cases of onnx 1.23; the floor of what must pass


class Network(BackendRep):
    """A network that was read, as ONNX's tests run one."""

    def __init__(self, graph, shape):
        self.graph, self.shape = graph.eval(), shape

    def run(self, inputs, **options):
        (x,) = inputs
        with no_grad():
            y = self.graph(Tensor(x)).numpy()
        if self.shape is not None:  # what the reader has inferred
            assert len(self.shape) == y.ndim
            assert all(n == m for n, m in zip(self.shape, y.shape) if isinstance(n, int)), (self.shape, y.shape)
        return (y,)


class Minialex(Backend):
    """Our reader as a backend of ONNX's tests.

    These give weights as inputs of the graph, to test every operator alike. Files of networks have them as
    initializers, and so all inputs but the first one become initializers before the model is read.
    """

    @classmethod
    def prepare(cls, model, device="CPU", **options):
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        for value, array in zip(model.graph.input[1:], options["weights"]):
            tensor = changed.graph.initializer.add()
            tensor.CopyFrom(array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(array))
            tensor.name = value.name
        network, _, shape = onnx_file.network_of(changed, Tensors(".", 10**6))
        return Network(described_and_built(network), shape)


def described_and_built(network):
    """The network as a checkpoint would give it; one that casts its output cannot be described."""
    if any(isinstance(layer, nn.Call) and layer.function == "to" for _, layer, _ in network.layers):
        return network
    built = graph.build(json.loads(json.dumps(graph.described(network, "case"))))
    built.load_state_dict(network.state_dict())
    return built.to(next((p.dtype for p in network.state_dict().values() if p.dtype.kind == "f"), np.dtype("float32")))


def array(value):
    """A test's value as an array that minialex computes with, as a file's half precision becomes float32."""
    value = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
    return value.astype(np.float32) if value.dtype.name in ("float16", "bfloat16") else value


def failure(case):
    """Why a case fails: the reader's sentence, or what is wrong with the numbers; None if it passes."""
    for inputs, outputs in case.data_sets:
        try:
            network = Minialex.prepare(case.model, weights=inputs[1:])
            (y,) = network.run([array(inputs[0])])
        except Fault as fault:
            return str(fault)
        expected = array(outputs[0])
        if y.shape != expected.shape:
            return f"the result has the shape {y.shape}, expected {expected.shape}"
        half = any(t.type.tensor_type.elem_type in _FLOATS[2:] for t in case.model.graph.output)
        tolerance = {"rtol": max(case.rtol, 1e-2 if half else 0), "atol": max(case.atol, 1e-2 if half else 0)}
        if not np.allclose(y.astype(np.float64), expected.astype(np.float64), equal_nan=True, **tolerance):
            return "the numbers differ"
    return None


def rule(case):
    """Why a case cannot be a network of ours, by what it gives and takes; None if it can."""
    graph = case.model.graph
    first = graph.input[0].type
    lengths = [d.dim_value for d in first.tensor_type.shape.dim]
    if not first.HasField("tensor_type"):
        return "a sequence or an optional value"
    if first.tensor_type.elem_type not in _FLOATS:
        return "computes with integers, truth values or 8 bits"
    if len(graph.output) > 1:
        return "several outputs: networks have one; Split is compared with onnxruntime in test_onnx_read.py"
    if 0 in lengths:
        return "an input without elements"
    if graph.output[0].type.tensor_type.elem_type not in _FLOATS:
        return "the output is no floating-point number, but a shape or a type of fewer bits"
    if case.name.startswith(("test_averagepool_3d", "test_maxpool_3d")):
        return "three spatial dimensions"
    return None


EXCLUDED = {  # pattern of names: why
    "test_averagepool_2d_dilations": "nn.AvgPool2d has no dilation",
    "test_training_dropout": "draws numbers in evaluation, where our networks drop nothing",
    "test_training_dropout_default": "draws numbers in evaluation, where our networks drop nothing",
    "test_gather_2d_indices": "indices of several axes, which only embeddings have",
    "test_center_crop_pad_*_expanded": "the largest of several lengths that depend on the input",
    "test_reshape_allowzero_reordered": "a result without elements",
}


def of_known_operators(case):
    return {node.op_type for node in case.model.graph.node} <= OPERATORS.keys()


def has_input(case):
    return bool(case.model.graph.input)


@pytest.fixture(scope="module")
def cases():
    """All cases of operators that the reader knows, but those of Constant alone, which have no input."""
    from onnx.backend.test.loader import load_model_tests

    with np.errstate(all="ignore"):
        return [case for case in load_model_tests(kind="node") if of_known_operators(case) and has_input(case)]


@pytest.mark.heavy
def test_every_case_passes_or_is_excluded(cases):
    passed, wrong, used = [], [], set()
    for case in cases:
        patterns = [pattern for pattern in EXCLUDED if fnmatch(case.name, pattern)]
        reason = rule(case) or (EXCLUDED[patterns[0]] if patterns else None)
        used.update(patterns)
        with np.errstate(all="ignore"):
            why = failure(case)
        if why is None and reason:
            wrong.append(f"{case.name} passes, so it must not be excluded: {reason}")
        elif why is not None and not reason:
            wrong.append(f"{case.name}: {why}")
        elif why is None:
            passed.append(case.name)
    assert not wrong, "\n".join(wrong)
    assert used == EXCLUDED.keys(), "patterns that no case has"
    assert len(passed) >= _AT_LEAST


@pytest.mark.heavy
def test_a_wrong_result_is_seen(cases, monkeypatch):
    """The runner itself: it compares with ONNX's numbers, not with ours."""
    case = next(case for case in cases if case.name == "test_relu")
    assert failure(case) is None
    monkeypatch.setitem(OPERATORS, "Relu", OPERATORS["Identity"])
    assert failure(case) == "the numbers differ"


@pytest.mark.heavy
def test_the_newest_operators_are_known():
    """A new version of ONNX may change what an operator means: read its changes before raising the number."""
    assert onnx.defs.onnx_opset_version() <= onnx_file.OPSETS[1]
