"""One thread for linear algebra, where figures must not hang on the number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import scipy.linalg  # noqa: F401  (only what is loaded can be limited)
import sklearn.ensemble  # noqa: F401
from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_held: list[threadpool_limits] = []
_n_inside = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread until the last of those who asked for it is done.

    The limits are the process's. dbt runs two Python models at a time in one process, and the plain
    :class:`threadpoolctl.threadpool_limits` of the one that ends first would give the other its threads back in the
    middle of a fit: sums of another order, another last digit, and two builds that are not equal.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     float(np.ones(3) @ np.ones(3))
    3.0
    """
    global _n_inside
    with _lock:
        # Anew each time: a library that was loaded since has limits of its own.
        _held.append(threadpool_limits(1))
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            while _n_inside == 0 and _held:
                _held.pop().restore_original_limits()


def keep_one_thread() -> None:
    """Let BLAS and OpenMP use one thread for as long as the process lives: what a build begins with.

    scikit-learn's K-means sets limits of its own and gives back what it found. Found before :func:`one_thread` began
    and given back while it lasts, that would be all threads, in the middle of another model's fit.
    """
    threadpool_limits(1)
