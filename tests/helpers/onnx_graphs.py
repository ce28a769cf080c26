"""Small ONNX files, and what onnxruntime makes of them."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper

from minialex import Tensor, no_grad
from minialex.convert import formats

IR_VERSIONS = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10}


class Graph:
    """An ONNX file under construction, whose input is x (N, ...).

    opset: of its operators.
    shape: of one image; None for a length that is not said.
    seed: of the numbers.
    """

    def __init__(self, opset=17, shape=(4, 9, 8), seed=1, batch="N", dtype=np.float32):
        self.opset, self.shape, self.batch, self.dtype = opset, shape, batch, np.dtype(dtype)
        self.rng, self.nodes, self.initializers, self.count = np.random.default_rng(seed), [], [], 0

    def __call__(self, op, *inputs, name=None, outputs=1, **attributes):
        """Add a node, whose inputs are names, or arrays; returns the name of its output, or a list of several."""
        self.count += 1
        names = [f"t{self.count}"] if outputs == 1 else [f"t{self.count}_{i}" for i in range(outputs)]
        inputs = [x if isinstance(x, str) else self.array(x) for x in inputs]
        self.nodes.append(helper.make_node(op, inputs, names, name or f"n{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def array(self, values, name=None):
        """Add an initializer; returns its name."""
        name = name or f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random(self, *shape, low=None):
        """Numbers of all sizes; from `low` up if that is given."""
        values = self.rng.standard_normal(shape).astype(self.dtype)
        return values if low is None else np.abs(values) + self.dtype.type(low)

    def model(self, output, **options):
        """The ModelProto."""
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        given = helper.make_tensor_value_info(
            "x", kind, [self.batch, *(n or f"d{i}" for i, n in enumerate(self.shape))]
        )
        made = helper.make_tensor_value_info(output, kind, None)
        graph = helper.make_graph(self.nodes, "g", [given], [made], self.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        ir = IR_VERSIONS.get(self.opset, 10)
        return helper.make_model(graph, opset_imports=imports, ir_version=ir, **options)


def saved(path, model):
    """Write a ModelProto to a file; returns the path."""
    path.write_bytes(model.SerializeToString())
    return path


def session(model):
    """onnxruntime's, of a ModelProto."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def difference(path, model, batches=(1, 3), image=None):
    """(the largest difference from onnxruntime's results, relative to their spread; what was read).

    image: the shape of images, where the file does not say it.
    """
    read = formats.read(saved(path, model))
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = image or [d.dim_value for d in dims[1:]]
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    worst, runtime = 0.0, session(model)
    for count in batches:
        x = np.random.default_rng(count).standard_normal((count, *shape)).astype(dtype)
        (right,) = runtime.run(None, {"x": x})
        with no_grad():
            y = read.network.eval()(Tensor(x.astype(np.float32) if dtype == np.float16 else x)).numpy()
        assert y.shape == right.shape, (y.shape, right.shape)
        spread = np.ptp(right.astype(np.float64)) or np.abs(right).max() or 1.0
        worst = max(worst, np.abs(y - right.astype(y.dtype)).max() / spread)
    return worst, read
