"""What the numba backend's threads do during a step: transforms, matrix products, other work, or nothing."""

from __future__ import annotations

import contextlib
import sys
import threading

import numpy as np

from .. import threads

PHASES = ("transforms", "products", "other", "serial", "waiting")
_TRANSFORMS = ("cut", "paste", "spread", "spread_some", "gather")  # methods of winograd.Plan: tiles, filters and back


@contextlib.contextmanager
def watched(clock):
    """A context in which the library's functions note the time of their threads; outside it, they are as they were.

        transforms  Winograd's, of tiles and of filters; with few channels, the products that they make on the way
        products    np.matmul, and the additions of winograd.py's products
        other       the rest of the pieces of threads.parallel_for
        serial      the calling thread between two calls of threads.parallel_for, apart from the above
        waiting     threads x seconds - all of these: threads without a piece

    A thread that has a piece is never waiting, not even for a core or for Python's lock.

    clock: clock() returns seconds.

    Yields now(): seconds since the beginning and, of them, the thread time of each of PHASES; an array of floats.
    """
    from ..backends.fast_cpu import winograd  # here, since it needs Numba

    watch, plan, parallel_for = _Watch(clock), winograd.Plan, threads.parallel_for
    replaced: list = [(np, "matmul", watch.during("products", np.matmul))]  # (owner, name, what looks at the clock)
    replaced.append((plan, "multiply", watch.during("products", plan.multiply)))
    replaced += [(plan, name, watch.during("transforms", getattr(plan, name))) for name in _TRANSFORMS]
    users = [m for name, m in sys.modules.items() if name.startswith("minialex.")]
    users = [m for m in users if vars(m).get("parallel_for") is parallel_for]  # threads, and who imports it
    replaced += [(module, "parallel_for", watch.pieces(parallel_for)) for module in users]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    try:
        for owner, name, function in replaced:
            setattr(owner, name, function)
        yield watch.now
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


class _Watch:
    """Adds up, phase by phase, the time of all threads. Each is in one phase at a time."""

    def __init__(self, clock):
        self.clock, self.lock, self.here = clock, threading.Lock(), threading.local()
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.here.phase, self.here.since = "serial", clock()
        self.begin = self.here.since

    def now(self):
        """See `watched`; for the thread that began the watch, while no other has work."""
        self.switch(self.here.phase)
        elapsed, spent = self.here.since - self.begin, [self.seconds[phase] for phase in PHASES[:-1]]
        return np.array([elapsed, *spent, threads.count() * elapsed - sum(spent)])

    def switch(self, phase):
        """End this thread's phase and begin another."""
        now, before = self.clock(), getattr(self.here, "phase", "waiting")
        if before != "waiting":
            with self.lock:
                self.seconds[before] += now - self.here.since
        self.here.phase, self.here.since = phase, now

    @contextlib.contextmanager
    def phase(self, phase):
        """A phase of this thread."""
        before = getattr(self.here, "phase", "waiting")
        self.switch(phase)
        try:
            yield
        finally:
            self.switch(before)

    def during(self, phase, function):
        """The function, in a phase of its own unless it is called by one that has."""

        def run(*arguments, **options):
            with self.phase(self.inherited(phase)):
                return function(*arguments, **options)

        return run

    def pieces(self, parallel_for):
        """threads.parallel_for, whose pieces are in the caller's phase, in whichever threads they run."""

        def run(function, *arguments, **options):
            phase = self.inherited("other")

            def piece(start, stop):
                with self.phase(phase):
                    function(start, stop)

            with self.phase("waiting"):
                parallel_for(piece, *arguments, **options)

        return run

    def inherited(self, phase):
        """This phase, or that of the caller if it is a transform or product."""
        before = getattr(self.here, "phase", "waiting")
        return before if before in ("transforms", "products") else phase
