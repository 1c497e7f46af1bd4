"""One thread for linear algebra, where figures must not depend on the number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import scipy.linalg  # noqa: F401  (only what is loaded can be limited)
import sklearn.ensemble  # noqa: F401
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and OpenMP use one thread: a sum over several has another order, and another last digit.

    The limits are the process's, and what was found is given back. Where several threads fit models in one process, as
    in a build, one of them would give another its threads back in the middle: begin with :func:`keep_one_thread` there.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     float(np.ones(3) @ np.ones(3))
    3.0
    """
    with threadpool_limits(1):
        yield


def keep_one_thread() -> None:
    """Let BLAS and OpenMP use one thread for as long as the process lives: what a build begins with.

    Whoever sets limits after that, :func:`one_thread` or scikit-learn's K-means, finds one thread and gives one back.
    """
    threadpool_limits(1)
