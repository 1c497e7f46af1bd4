"""When fits that are kept from build to build are made anew."""

REFITS = ("auto", "always", "never")


def check_refit(refit: str) -> None:
    """Check the var ``refit``.

    Parameters
    ----------
    refit : str
        ``auto``: where there is no fit yet; ``always``: all of them; ``never``: none.

    Raises
    ------
    ValueError
        For any other text; the message says what is allowed.

    Examples
    --------
    >>> check_refit("often")
    Traceback (most recent call last):
    ValueError: refit is 'often'; allowed: auto, always, never
    """
    if refit not in REFITS:
        raise ValueError(f"refit is {refit!r}; allowed: {', '.join(REFITS)}")
