"""Computing results ahead of their use, in threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor


def prefetched(function, arguments, workers=1, name="minialex-loader"):
    """An ordered map(function, arguments), computed by threads ahead of the result in use.

    function: of one argument.
    arguments: an iterable.
    workers: threads, and results computed ahead.
    name: what the threads' names begin with.

    Returns an iterator. An error in a thread is raised by it, in the place of the result; the threads end with it.
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
