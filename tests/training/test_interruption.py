"""Ctrl-C at any line of a step: the Trainer stands between two steps, and ends as if nothing had happened."""

from __future__ import annotations

import random as dice
import signal
import threading

import numpy as np
import pytest
from pressing import CtrlC
from tiny_trainer import EPOCHS, everything, prepared

from minialex.support.interrupts import Interrupts


@pytest.fixture(scope="module")
def reference():
    """{(epoch, batch): everything there}, and the rows of all steps."""
    t, states, rows = prepared(), {}, []
    while t.epoch < EPOCHS:
        states[t.epoch, t.batch] = everything(t)
        for _ in t.steps():
            rows += t.recorded_steps()
            states[t.epoch, t.batch] = everything(t)
        t.finish_epoch()
    states[t.epoch, t.batch] = everything(t)
    return states, rows


def interrupted(n, reference):
    """Interrupt the training at line n, look at it, and continue to its end; whether there was such a line."""
    states, rows = reference
    t, press = prepared(), CtrlC(n)
    try:
        with press:
            while t.epoch < EPOCHS:
                for _ in t.steps():
                    pass
                t.finish_epoch()
    except KeyboardInterrupt as error:
        message = str(error)
        if message:  # else it came outside of a step
            assert message.startswith(
                f"training stopped in epoch {t.epoch + 1} after {t.batch} of 5 batches; the model"
            )
            modes = {module.training for _, module in t.model.named_modules()}
            assert modes == {t.epoch > 0}, "evaluation, as before steps() was called first; then what that had left"
    else:
        return False
    np.testing.assert_equal(everything(t), states[t.epoch, t.batch], f"line {n}")
    while t.epoch < EPOCHS:
        for _ in t.steps():
            pass
        t.finish_epoch()
    np.testing.assert_equal(everything(t), states[EPOCHS, 0], f"line {n}")
    assert t.recorded_steps() == rows, f"line {n}"
    return True


@pytest.fixture(scope="module")
def every():
    """How many lines of minialex an epoch runs."""
    press = CtrlC(-1)
    with press:
        t = prepared()
        list(t.steps())
        t.finish_epoch()
    return press.lines


@pytest.mark.parametrize("part", range(4))
def test_at_any_line(reference, every, part):
    """In an epoch and a bit, a quarter of the lines each time."""
    n = dice.Random(part).randrange(part * every // 4, (part + 1) * every // 4) + 1
    assert interrupted(n, reference)


def ctrl_c_after(monkeypatch, thing, name, count):
    """Ctrl-C right after the count-th call of a method."""
    method, calls = getattr(thing, name), []

    def pressed(*arguments, **options):
        result = method(*arguments, **options)
        calls.append(name)
        if len(calls) == count:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(thing, name, pressed)


@pytest.mark.parametrize(
    ("part", "name", "count", "batch"),
    [
        ("optimizer", "update", 8, 4),  # two of six weights of the second step are new: the step is completed
        ("optimizer", "step", 2, 4),
        ("model.1", "forward", 4, 2),  # the second step's second batch has moved the running mean: undone
        ("trainer", "_before_update", 2, 4),
    ],
)
def test_where_a_step_would_be_half_done(monkeypatch, reference, part, name, count, batch):
    t = prepared()
    ctrl_c_after(monkeypatch, {"optimizer": t.optimizer, "model.1": t.model[1], "trainer": t}[part], name, count)
    with pytest.raises(
        KeyboardInterrupt, match=f"in epoch 1 after {batch} of 5 batches; the model is as after its last"
    ):
        t.fit(EPOCHS, progress=False)
    assert not any(module.training for _, module in t.model.named_modules())
    assert all(p.grad is None for p in t.model.parameters()) or batch == 4, "no half-summed gradients"
    np.testing.assert_equal(everything(t), reference[0][0, batch])
    t.fit(EPOCHS, progress=False)
    np.testing.assert_equal(everything(t), reference[0][EPOCHS, 0])


def test_an_epoch_is_counted_whole_or_not_at_all(monkeypatch, reference):
    t = prepared()
    ctrl_c_after(monkeypatch, t.schedule, "step", 1)
    with pytest.raises(KeyboardInterrupt, match="in epoch 2 after 0 of 5"):
        t.fit(EPOCHS, progress=False)
    np.testing.assert_equal(everything(t), reference[0][1, 0])
    t.fit(EPOCHS, progress=False)
    np.testing.assert_equal(everything(t), reference[0][EPOCHS, 0])


def test_in_a_callback(reference):
    t = prepared()
    with pytest.raises(KeyboardInterrupt, match="in epoch 2 after 2 of 5 batches"):
        t.fit(EPOCHS, progress=False, on_step=lambda t, row: row["step"] == 4 and signal.raise_signal(signal.SIGINT))
    np.testing.assert_equal(everything(t), reference[0][1, 2])
    assert not t.model.training


class TestInterrupts:
    def test_before_hold_it_raises_at_once(self):
        after = []
        with pytest.raises(KeyboardInterrupt), Interrupts():
            signal.raise_signal(signal.SIGINT)
            after.append("a line")
        assert not after and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_after_hold_it_waits_for_the_end(self):
        after = []
        with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
            interrupts.hold()
            signal.raise_signal(signal.SIGINT)
            after.append("a line")
        assert after and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_another_handler_is_called_instead(self):
        heard = []
        before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
        try:
            with Interrupts() as interrupts:
                signal.raise_signal(signal.SIGINT)
                assert heard == [signal.SIGINT]
                interrupts.hold()
                signal.raise_signal(signal.SIGINT)
                assert len(heard) == 1
            assert len(heard) == 2
        finally:
            signal.signal(signal.SIGINT, before)

    def test_where_signals_are_ignored_and_in_other_threads(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with Interrupts() as interrupts:
                interrupts.hold()
                assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)
        trained = []
        thread = threading.Thread(target=lambda: trained.append(prepared().fit(1, progress=False)))
        thread.start()
        thread.join()
        assert len(trained[0]) == 1
