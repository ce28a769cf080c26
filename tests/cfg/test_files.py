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


SAYS = {  # what an explanation says, and what it does not
    "layers-145.cfg": (
        ["alpha is 2e-05", "before their ReLU", "cnorm2a, cnorm2b: a normalisation within each map", "290,400 neurons",
         "zeros beyond them at the right and lower edges, 3 of them", "N(0, 0.03^2)", "go from one of the 2 columns",
         "the last window goes 3 pixels beyond the right and lower edges", "x (2 + 0.0001/5 sum of x_j^2)^-0.75",
         "rate 0.01, momentum 0.9, decay 0.0005"],
        ["k is 1", "blurred", "do not overlap", "dropout; the paper"],
    ),
    "layers-120.cfg": (["the constant k is 1; the paper has 2", "blurred view", "sum of (x_j - mean"], ["signs"]),
    "layers-147.cfg": (["pool1a, pool1b, pool2a, pool2b and 2 more: windows do not overlap"], []),
    "layers-148.cfg": (["there is no normalisation"], ["alpha"]),
    "layers-146-2012-2011.cfg": (["6 convolutional layers", "those of conv1a in another network"], []),
    "layers-80sec.cfg": (["the cost, -ln of the probability of the label"], ["neurons", "ReLU comes first"]),
    "layers-imagenet-1gpu.cfg": (
        ["cuda-convnet2 (2014)", "by a schedule (dexp)", "biases are -7 at first", "0.01 to 4e-05 in 4 equal"],
        ["columns"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAYS)
def test_what_is_explained(name, folder):
    program = read(folder, name)
    text = " ".join(explain(program, program.network()).split())
    says, says_not = SAYS[name]
    assert [words for words in says if words not in text] == [] == [words for words in says_not if words in text]
