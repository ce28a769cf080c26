"""Scripts written for torch, run under torch and, with only their import lines changed, under minialex.

What must be common for their numbers to be equal is what is drawn at random: `drawing_as_minialex` gives torch
minialex's random numbers, and `outcome` the same initial weights.
"""

from __future__ import annotations

import contextlib
import re
import types
from pathlib import Path
from unittest import mock

import numpy as np

import minialex
from minialex.data.loader import shuffled

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tutorials" / "porting"
PAGE = ROOT / "tutorials" / "coming_from_torch.md"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
SNIPPETS = Path(__file__).with_name("snippets.py")
STORED = ROOT / "tests" / "golden" / "ports.json"  # what torch makes of each script: {name: numbers}


def import_lines():
    """[(import line of torch, what stands in its place)] of the page's first table; `...` are names."""
    table = re.search(r"^\| torch \| minialex \|\n.*?\n\n", PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
    return [tuple(re.findall(r"`([^`]+)`", row)) for row in table.splitlines()[2:] if row]


def ported(source):
    """A script for torch with its import lines changed as the page says, and nothing else."""
    rules = []
    for old, new in import_lines():
        pattern = re.escape(old).replace(re.escape("..."), "(.+)")
        rules.append((re.compile(pattern), new.replace("...", r"\1")))
    lines = []
    for line in source.splitlines():
        if re.match(r"(import|from) torch", line):
            fitting = [(pattern, new) for pattern, new in rules if pattern.fullmatch(line)]
            assert fitting, f"the page does not say what becomes of {line!r}"
            pattern, new = fitting[0]
            line = pattern.sub(new, line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def module(source, name):
    """The module that a source makes."""
    made = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), vars(made))
    return made


def script(name):
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def flat(outcome):
    return np.array(outcome, np.float64)


def assert_same(ours, theirs, place=""):
    """AssertionError unless results are equal: values to 1e-5, and types, shapes and dtypes."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), place
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{place}[{i}]")
    elif hasattr(theirs, "detach") or isinstance(theirs, np.ndarray):
        a, b = as_numpy(ours), as_numpy(theirs)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{place}: {a.dtype}{a.shape}, torch's {b.dtype}{b.shape}"
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=place)
    elif isinstance(theirs, float):
        assert isinstance(ours, float), f"{place}: {ours!r}, torch's {theirs!r}"
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=place)
    else:
        assert type(ours) is type(theirs) and ours == theirs, f"{place}: {ours!r}, torch's {theirs!r}"


def run_minialex(name):
    """(initial weights, what train returned, final weights) of a script under minialex, on the default backend."""
    minialex.manual_seed(0)
    made = module(ported(script(name)), f"ported_{name}")
    model = made.build()
    before = arrays(model)
    minialex.manual_seed(1)
    return before, flat(made.train(model)), arrays(model)


def run_torch(name, weights):
    """(what train returned, final weights) of a script under torch, from these weights, with minialex's numbers."""
    import torch

    with drawing_as_minialex(torch):
        made = module(script(name), f"torch_{name}")
        model = made.build()
        model.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in weights.items()})
        minialex.manual_seed(1)
        return flat(made.train(model)), arrays(model)


def arrays(model):
    """The state of a model of either library as NumPy arrays."""
    return {key: np.array(as_numpy(value)) for key, value in model.state_dict().items()}


def as_numpy(value):
    """An array of either library, or a tensor, as a NumPy array."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    return value if isinstance(value, np.ndarray) else minialex.get_backend().to_numpy(value)


@contextlib.contextmanager
def drawing_as_minialex(torch):
    """torch with the random numbers of minialex's default generator: tensors, dropout, shuffling, splits."""
    data, functional = torch.utils.data, torch.nn.functional

    def drawn(name):
        def draw(*arguments, **options):
            return torch.from_numpy(np.array(as_numpy(getattr(minialex, name)(*arguments, **options))))

        return draw

    def like(name):
        return lambda input: drawn(name)(tuple(input.shape))

    def dropout(input, p=0.5, training=True, inplace=False):
        ones = minialex.Tensor(np.ones(input.shape, np.float32))
        mask = torch.from_numpy(np.array(as_numpy(minialex.functional.dropout(ones, p, training))))
        return input.mul_(mask) if inplace else input * mask

    def order(sampler):
        epoch = sampler.epoch = getattr(sampler, "epoch", -1) + 1
        return iter(shuffled(len(sampler.data_source), minialex.random.default_generator.seed, epoch).tolist())

    def split(dataset, lengths):
        return [data.Subset(dataset, part.indices) for part in minialex.data.random_split(dataset, lengths)]

    with contextlib.ExitStack() as patches:
        changed = {name: drawn(name) for name in ("randn", "rand", "randint", "randperm")}
        changed |= {"randn_like": like("randn"), "rand_like": like("rand"), "manual_seed": minialex.manual_seed}
        for name, function in changed.items():
            patches.enter_context(mock.patch.object(torch, name, function))
        patches.enter_context(mock.patch.object(functional, "dropout", dropout))
        patches.enter_context(mock.patch.object(data.RandomSampler, "__iter__", order))
        patches.enter_context(mock.patch.object(data, "random_split", split))
        yield
