"""torch's words for places, `device` and `cuda`, as names of backends."""

from __future__ import annotations

import numpy as np
import pytest

import minialex
from minialex import Tensor, backends, get_backend, nn, use_backend


class FakeGpu:
    name = "cupy"

    def on_selected(self):
        pass


@pytest.fixture
def gpu(monkeypatch):
    """A backend in the place of cupy's."""
    made = FakeGpu()
    monkeypatch.setitem(backends._made, "cupy", made)
    return made


@pytest.fixture
def no_gpu(monkeypatch):
    def unavailable():
        raise backends.BackendUnavailable("there is no GPU")

    monkeypatch.setattr(backends, "_made", {"numpy": get_backend("numpy")})
    monkeypatch.setattr("minialex.backends.cuda.gpu.CupyBackend", unavailable)


def test_the_line_that_scripts_begin_with_without_a_gpu(no_gpu):
    torch = minialex
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert device == "cpu" and str(device) == "cpu" and device.type == "cpu" and device.index is None
    assert torch.cuda.device_count() == 0
    layer = nn.Linear(3, 2)
    assert layer.to(device) is layer and layer.weight.backend is get_backend("numpy")
    x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    assert x.to(device) is x


def test_the_line_that_scripts_begin_with_on_a_gpu(gpu):
    assert minialex.cuda.is_available() and minialex.cuda.device_count() == 1
    for device in (minialex.device("cuda"), minialex.device("cuda:0"), minialex.device("cuda", 0), "cuda", "cuda:0"):
        assert get_backend(device) is gpu
    assert minialex.device("cuda", 0).index == 0 and minialex.device("cuda").index is None
    assert minialex.device("cuda:0").type == minialex.device("cupy").type == "cuda"


def test_cpu_is_the_default_backend_if_that_is_on_the_cpu(gpu):
    assert get_backend("cpu") is get_backend("numpy")
    use_backend("cuda")
    assert get_backend() is gpu and get_backend("cpu") is get_backend("numpy")


def test_cpu_is_the_compiled_backend_where_that_is_the_default(monkeypatch):
    other = FakeGpu()
    other.name = "numba"
    monkeypatch.setitem(backends._made, "numba", other)
    use_backend("numba")
    assert get_backend("cpu") is other
    assert minialex.device("numba") == "numba" and minialex.device("numba").type == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:1", "gpu", "float32"])
def test_other_names(name):
    with pytest.raises(ValueError, match=f"unknown backend '{name}'"):
        minialex.device(name)
    with pytest.raises(ValueError, match=f"unknown backend '{name}'"):
        Tensor([1.0], backend=name)


def test_to_takes_dtypes_as_before():
    x = Tensor([1.5])
    assert x.to("float64").dtype == np.float64 and x.to("cpu").dtype == np.float32
    with pytest.raises(ValueError, match="cannot move to 'cuda:1'"):
        x.to("cuda:1")


def test_where_a_tensor_is():
    x = Tensor([1.0])
    assert x.device == "numpy" and x.device.type == "cpu" and Tensor([1.0], backend=x.device).backend is x.backend
    assert x.grad_fn is None and (x.requires_grad_() * 2).grad_fn.name == "mul"
    assert minialex.zeros(2, device=x.device).backend is x.backend
