"""Names of the states of a customer's life."""

from crm_mining.common.arrays import FloatArray

NEW, LOST = "new", "lost"
LAPSING, DORMANT = "lapsing", "dormant"
#: Names of the other living states from the busiest to the quietest, by their number.
LIVING = {
    0: (),
    1: ("active",),
    2: ("active", "occasional"),
    3: ("frequent", "active", "occasional"),
    4: ("frequent", "active", "occasional", "rare"),
    5: ("frequent", "active", "regular", "occasional", "rare"),
    6: ("frequent", "active", "regular", "occasional", "rare", "sporadic"),
}
#: The quietest living state is dormant up to this share of the usual rate of orders. The one above it is lapsing when
#: at least this share leave it downwards in a month, and fewer upwards; where hardly anybody leaves, few orders are a
#: way of life.
DORMANT_RATE, LAPSING_MOVES = 0.1, 0.05
MAX_STATES = max(LIVING) + 2


def name_states(rates: FloatArray, transitions: FloatArray, shares: FloatArray) -> tuple[str, ...]:
    """Name the living states.

    Parameters
    ----------
    rates : array of shape (n,)
        Expected orders in a usual month, falling.
    transitions : array of shape (n + 1, n + 1)
        Between them and, last, to be lost.
    shares : array of shape (n,)
        Of the months; what is usual is the mean over them.

    Returns
    -------
    tuple of str
        Of :data:`LIVING`, then ``lapsing`` and ``dormant`` where there are such; the busiest state is neither.
    """
    n = len(rates)
    is_dormant = n > 1 and rates[-1] <= DORMANT_RATE * (rates @ shares) / max(shares.sum(), 1e-12)
    at = n - 1 - int(is_dormant)
    down, up = transitions[at, at + 1 :].sum(), transitions[at, :at].sum()
    is_lapsing = at > 0 and down >= LAPSING_MOVES and down > up
    last = (*([LAPSING] if is_lapsing else []), *([DORMANT] if is_dormant else []))
    return (*LIVING[n - len(last)], *last)
