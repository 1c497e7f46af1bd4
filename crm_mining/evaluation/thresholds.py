"""The probability from which a yes is the better guess."""

import numpy as np

from crm_mining.common.arrays import FloatArray


def choose_threshold(probabilities: FloatArray, n_pairs: FloatArray | None = None) -> float:
    """Choose the probability above which a pair is a match so that the expected F1 is greatest.

    Parameters
    ----------
    probabilities : array of shape (n,)
        Match probabilities of the candidate pairs, or of their patterns.
    n_pairs : array of shape (n,), optional
        How many pairs each stands for; one by default.

    Returns
    -------
    float
        A probability between 0 and 1: taking the pairs at or above it maximises ``2 E[TP] / (n_taken + E[matches])``,
        the model's own estimate of F1 (Lipton, Elkan & Naryanaswamy 2014). 0.5 when there are no pairs.
    """
    if len(probabilities) == 0:
        return 0.5
    counts = np.ones(len(probabilities)) if n_pairs is None else n_pairs
    order = np.argsort(-probabilities, kind="stable")
    sorted_p, sorted_n = probabilities[order], counts[order]
    expected_true = np.cumsum(sorted_p * sorted_n)
    f1 = 2 * expected_true / (np.cumsum(sorted_n) + expected_true[-1])
    return float(sorted_p[int(np.argmax(f1))])
