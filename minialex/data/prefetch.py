"""Work done by threads, ahead of whoever uses its results."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor


def prefetched(function, arguments, workers=1, name="minialex-loader"):
    """map(function, arguments) in order; as many threads compute as many results ahead of the one in use.

    What goes wrong in a thread is raised here, in its place. The threads end with the iterator.
    """
    threads = ThreadPoolExecutor(workers, thread_name_prefix=name)
    pending: deque = deque()
    try:
        for argument in arguments:
            pending.append(threads.submit(function, argument))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
