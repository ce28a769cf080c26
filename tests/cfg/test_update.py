"""The update of 2012, by hand; the rates and schedules that a parameter file gives to every weight and bias."""

from __future__ import annotations

import numpy as np
import pytest
from cfg_files import COST, DATA, RATES, network, program, rates

from minialex import Tensor, nn
from minialex.cfg import SGD2012
from minialex.cfg.optimizer import EveryStep
from minialex.cfg.schedules import RateSchedule

FC = "[fc]\ntype=fc\ninputs=data,data\noutputs=3\ninitW=0.1,0.2\ninitB=0.5\n"
PARAMETERS = """
[fc]
epsW=0.1,0.0
epsB=0.3
momW=0.9,0.8
momB=0.7
wc=0.05,0.06
schedW=linear[tgtFactor=2,noiseStdev=0]
"""


def trained(text, parameters, steps, total, images, labels):
    """(program, network, {name: [value before, and after every step]}, {name: [gradients]})."""
    made = program(text, parameters)
    found = made.network(images.shape[-1])
    model = found.build()
    found.initialise(model)
    model.double()
    optimizer = made.optimizer(model, found, total)
    values = {n: [p.numpy().copy()] for n, p in model.named_parameters()}
    gradients = {n: [] for n in values}
    for _ in range(steps):
        optimizer.zero_grad()
        made.loss(model(Tensor(images)), labels).backward()
        for n, p in model.named_parameters():
            gradients[n].append(None if p.grad is None else p.grad.numpy().copy())
        optimizer.step()
        for n, p in model.named_parameters():
            values[n].append(p.numpy().copy())
    return made, optimizer, values, gradients


def test_every_weight_and_bias_by_hand(rng):
    """V = mom V - eps (g + wc W), W = W + V; with a schedule, a coefficient of the cost, and a part that is frozen."""
    images, labels = rng.standard_normal((4, 3, 2, 2)), np.array([0, 2, 1, 1])
    text = DATA + FC + COST
    _, _, values, gradients = trained(text, f"{PARAMETERS}[logprob]\ncoeff=3\n", 3, 4, images, labels)
    for name, momentum, decay, bases in (
        ("fc.0.weight", 0.9, 0.05, [0.1 * (1 - p) + 0.05 * p for p in (0, 0.25, 0.5)]),
        ("fc.0.bias", 0.7, 0.0, [0.3] * 3),
    ):
        w, v = values[name][0], 0.0
        for step, rate in enumerate(bases):
            v = momentum * v - rate * (3 * gradients[name][step] + decay * w)
            w = w + v
            np.testing.assert_allclose(values[name][step + 1], w, rtol=1e-12)
    assert gradients["fc.1.weight"] == [None] * 3, "a rate of 0 asks for no gradient"
    np.testing.assert_array_equal(values["fc.1.weight"][0], values["fc.1.weight"][3])


def test_the_coefficient_multiplies_the_gradient_alone():
    """The trainer's loss is the plain cost: the optimiser multiplies, and the decay does not change with it."""
    w = nn.Parameter(np.array([2.0]))
    optimizer = SGD2012(
        [{"params": [w], "lr": 0.1, "momentum": 0.5, "weight_decay": 0.25}], [RateSchedule(0.1)], [1], 9, 3.0
    )
    w.grad = Tensor(np.array([1.0]))
    optimizer.step()
    assert w.numpy() == pytest.approx([2 - 0.1 * (3 * 1 + 0.25 * 2)])


def test_first_values(rng):
    text = network("[a]\ntype=fc\ninputs=data\noutputs=4000\ninitW=0.02\ninitB=-7\n", "a")
    found = program(text).network(4)
    model = found.build()
    found.initialise(model)
    state = model.state_dict()
    assert state["a.weight"].std() == pytest.approx(0.02, rel=0.02) and abs(state["a.weight"].mean()) < 1e-3
    assert (state["a.bias"] == -7).all() and (state["fc.bias"] == 0).all()
    assert state["fc.weight"].std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("second", "limit"), [("", 0.01 * 27), ("updatePeriod=1\n", 0.01)], ids=["2012", "cuda-convnet2"]
)
def test_a_norm_constraint_shortens_long_filters_alone(second, limit, rng):
    """wball: in 2012 times the numbers of a filter, later the norm itself."""
    layers = "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize=3\ninitW=0.1\n"
    text = network(layers, "c")
    made = program(text, rates(text, f"[c]\n{RATES}wball=0.01\n{second}"))
    found = made.network(8)
    model = found.build()
    found.initialise(model)
    weight = dict(model.named_parameters())["c.weight"]
    weight.data[1] *= 1e-4
    weight.grad = Tensor(np.zeros(weight.shape, np.float32))
    before = weight.numpy().copy()
    made.optimizer(model, found, 10).step()
    decayed = before * (1 - 0.01 * 0.05)
    norms = np.linalg.norm(weight.numpy().reshape(4, -1), axis=1)
    assert norms[[0, 2, 3]] == pytest.approx([limit] * 3, rel=1e-5)
    np.testing.assert_allclose(weight.numpy()[1], decayed[1], rtol=1e-6)
    frozen = weight.numpy().copy() * 5
    weight.data[...], weight.grad = frozen, None
    made.optimizer(model, found, 10).step()
    np.testing.assert_array_equal(weight.numpy(), frozen, err_msg="what is frozen is not shortened either")
    weight.data[...] = frozen / 5
    expected = decayed[0] * limit / np.linalg.norm(decayed[0])
    np.testing.assert_allclose(weight.numpy()[0], expected, rtol=1e-4)


def noisy(seed=3):
    w = [nn.Parameter(np.zeros(2)) for _ in range(2)]
    groups = [{"params": [p], "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0} for p in w]
    return w, SGD2012(groups, [RateSchedule(0.1, "exp", 10, 0.5), RateSchedule(0.1)], [1, 1], 8, seed=seed)


def stepped(optimizer, steps, seen):
    for _ in range(steps):
        for group in optimizer.param_groups:
            group["params"][0].grad = Tensor(np.array([1.0, -2.0]))
        optimizer.step()
        seen.append(optimizer.param_groups[0]["lr"])


def test_noise_is_a_function_of_the_seed_and_the_step():
    """A training that is continued from a state draws the noise that it would have drawn, bit for bit."""
    (whole, _), through = noisy()
    rates_seen = []
    stepped(through, 6, rates_seen)
    clean = [RateSchedule(0.1, "exp", 10).rate(step / 8) for step in range(6)]
    factors = [rate / own for rate, own in zip(rates_seen, clean)]
    assert all(factor >= 1 for factor in factors) and len({*factors}) == 6
    assert through.param_groups[1]["lr"] == 0.1, "only schedules with noise have it"
    (_, _), first = noisy()
    again = []
    stepped(first, 2, again)
    (continued, _), second = noisy()
    for p, old in zip(second._parameters, first._parameters):
        p.data[...] = old.data
    second.load_state_dict(first.state_dict())
    stepped(second, 4, again)
    assert again == rates_seen and continued.numpy().tobytes() == whole.numpy().tobytes()
    _, other = noisy(seed=4)
    stepped(other, 1, different := [])
    assert different[0] != rates_seen[0]


def test_a_state_that_is_not_its_own_is_refused():
    _, optimizer = noisy()
    state = optimizer.state_dict()
    state["param_groups"][0]["step"] = 1.5
    with pytest.raises(ValueError, match="step must be a whole number"):
        optimizer.load_state_dict(state)
    state["param_groups"][0] |= {"step": 1, "limit": -1.0}
    with pytest.raises(ValueError, match="limit must be"):
        optimizer.load_state_dict(state)


def test_a_scheduler_of_epochs_leaves_the_rates_alone():
    _, optimizer = noisy()
    scheduler = EveryStep(optimizer)
    stepped(optimizer, 3, [])
    rate = optimizer.param_groups[0]["lr"]
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == rate == scheduler.get_last_lr()[0]
    _, other = noisy()
    another = EveryStep(other)
    other.load_state_dict(optimizer.state_dict())
    another.load_state_dict(scheduler.state_dict())
    assert another.last_epoch == 1 and other.param_groups[0]["lr"] == rate


def test_initial_rates():
    """Those of CIFAR-10's networks, of ImageNet's, and of layers that begin with another network's weights."""
    conv = "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize=3\ninitW=1\nstride={}\n{}"
    makew = "initWFunc=initw.makew(x)\n"
    end = "epsW=0.00001\nepsB=0.0\nmomW=0.9\nmomB=0.9\n"

    def initial(stride, functions=""):
        text = network(conv.format(stride, functions), "c")
        others = f"[c]\n{end}schedW=exp[tgtFactor=10,noiseStdev=0]\n[fc]\n{end}"
        assert program(text, others).parameters.is_end
        made = program(text, others, initial_rates=True)
        found = {key: one.schedule for key, one in made.parameters.rates.items()}
        assert found["c", 0].kind == "exp" and found["c", 0].factor == 10, "schedules stay"
        return [found["c", 0].base, found["c", None].base, found["fc", 0].base, found["fc", None].base], made.notes[-1]

    assert initial(1) == ([0.001, 0.002, 0.001, 0.002], initial(1)[1])
    assert "0.001, biases 0.002" in initial(1)[1]
    assert initial(2)[0] == [0.01, 0.02, 0.01, 0.02]
    assert initial(2, makew)[0] == [0.0001, 0.02, 0.01, 0.02]


def test_weights_of_another_network(rng):
    text = network(
        "[c]\ntype=fc\ninputs=data\noutputs=4\ninitW=1\ninitWFunc=initw.makew(old)\ninitBFunc=initw.makeb(old)\n", "c"
    )
    made = program(text)
    found = made.network(2)
    assert made.needs_weights == ["c"]
    model = found.build()
    with pytest.raises(ValueError, match=r"\[c\] takes its first values from another network, by initw.makew\(old\)"):
        found.initialise(model)
    weights = {"old.weight": rng.standard_normal((4, 12)).astype("f"), "old.bias": rng.standard_normal(4).astype("f")}
    found.initialise(model, weights)
    state = model.state_dict()
    np.testing.assert_array_equal(state["c.weight"], weights["old.weight"])
    np.testing.assert_array_equal(state["c.bias"], weights["old.bias"])
    with pytest.raises(ValueError, match=r"old.bias has the shape \(3,\)"):
        found.initialise(model, weights | {"old.bias": np.zeros(3)})
    with pytest.raises(ValueError, match="old.bias is not there"):
        found.initialise(model, {"old.weight": weights["old.weight"]})


def test_nothing_to_train():
    text = network("", "data")
    made = program(text, "[fc]\nepsW=0\nepsB=0\nmomW=0\nmomB=0\n")
    found = made.network(2)
    with pytest.raises(ValueError, match=r"params.cfg has no learning rate above 0"):
        made.optimizer(found.build(), found, 5)
    with pytest.raises(ValueError, match="give its parameter file"):
        program(text).optimizer(found.build(), found, 5)
