"""The files of 2012 to 2014 that MINIALEX_DATA/cuda-convnet holds: every one is built, counted, trained for a step."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, backends, cfg, random
from minialex.cfg.explain import explain
from minialex.models.layout import layout

FILES = {  # name: (pixels, learned numbers); by the original program, which was run on them
    "layers-120.cfg": (224, 60_870_376),
    "layers-145.cfg": (224, 60_965_224),
    "layers-145-half.cfg": (224, 59_798_312),
    "layers-146-2012-2011.cfg": (224, 61_555_304),
    "layers-147.cfg": (224, 60_965_224),
    "layers-148.cfg": (224, 60_965_224),
    "layers-150.cfg": (224, None),
    "layers-166.cfg": (224, 60_965_224),
    "layers-167.cfg": (224, 60_965_224),
    "layers-imagenet-1gpu.cfg": (224, 61_100_840),
    "layers-80sec.cfg": (32, 145_578),
    "layers-19pct.cfg": (32, 89_578),
    "layers-18pct.cfg": (32, 89_578),
    "layers-conv-local-11pct.cfg": (24, 2_112_970),
    "layers-conv-local-12pct.cfg": (24, 1_116_490),
    "layers-conv-local-13pct.cfg": (24, 1_116_490),
    "layers.gc.cfg": (8, 84_826),
    "layers-example.cfg": (32, None),
}
ACTIVATIONS = {  # of layers-145.cfg and the ablation 147
    "layers-145.cfg": {"conv1a": (48, 55, 55), "pool1a": (48, 27, 27), "pool2b": (128, 13, 13), "pool3a": (128, 6, 6)},
    "layers-147.cfg": {"conv1a": (48, 55, 55), "pool1a": (48, 28, 28), "conv2a": (128, 26, 26), "pool2b": (128, 13, 13),
        "conv5a": (128, 11, 11), "pool3a": (128, 6, 6)},
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(data_dir):
    path = data_dir / "cuda-convnet"
    if not path.is_dir():
        pytest.skip(f"{path} is not there")
    return path


def read(folder, name):
    if not (folder / name).is_file():
        pytest.skip(f"{folder / name} is not there")
    return cfg.read(folder / name, folder / name.replace("layers", "layer-params"), initial_rates=True)


@pytest.mark.parametrize("name", FILES)
def test_counts(name, folder):
    program, (size, count) = read(folder, name), FILES[name]
    network = program.network(size)
    assert count in (None, network.parameters)
    assert size in (program.usual_size, 24, 8)
    found = {step.name: step.output.shape for step in network.steps}
    assert found.items() >= ACTIVATIONS.get(name, {}).items()
    text = explain(program, network)
    assert ("* gpu (" in text) == ("gpu=" in (folder / name).read_text())
    assert all(f"\n  {step.name}, of " in text for step in network.steps) and max(map(len, text.split("\n"))) <= 120


def test_every_file_there_is_read(folder):
    definitions = [path for path in sorted(folder.glob("layers*.cfg"))]
    for path in definitions:
        cfg.read(path, path.with_name(path.name.replace("layers", "layer-params"))).network()
    assert definitions


def test_other_parameter_files_fit(folder):
    for name, parameters in (
        ("layers-145.cfg", "layer-params-170.cfg"),
        ("layers-120.cfg", "layer-params-120-2012.cfg"),
    ):
        if (folder / name).is_file() and (folder / parameters).is_file():
            rates = cfg.read(folder / name, folder / parameters).parameters.rates
            assert len(rates) > 20
            if "170" in parameters:
                schedule = rates["conv2a", 0].schedule
                assert (schedule.kind, schedule.base, schedule.factor, schedule.steps) == ("dexp", 0.01, 250, 4)


@pytest.mark.heavy
@pytest.mark.parametrize("name", FILES)
def test_a_training_step(name, folder, rng):
    """Two pictures, or one where networks are large: every weight that is not frozen moves, nothing else does."""
    backends.use_backend("numba")
    random.manual_seed(1)
    program, (size, _) = read(folder, name), FILES[name]
    size = 16 if name == "layers-example.cfg" else size
    network = program.network(size)
    model = network.build()
    network.initialise(model, model.state_dict() if program.needs_weights else None)
    count = 1 if size == 224 else 4
    assert layout(model, (3, size, size))[-1].output == (program.classes,)
    optimizer = program.optimizer(model, network, 100)
    before = {n: p.numpy().copy() for n, p in (*model.named_parameters(), *model.named_buffers())}
    images = rng.standard_normal((count, 3, size, size)).astype(np.float32) * 50
    loss = program.loss(model(Tensor(images)), np.arange(count) % program.classes)
    loss.backward()
    optimizer.step()
    assert np.isfinite(loss.item())
    still = {n for n, p in (*model.named_parameters(), *model.named_buffers()) if (p.numpy() == before[n]).all()}
    assert still == {*network.fixed}
