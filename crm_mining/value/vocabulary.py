"""Names of the models of customer value, the statuses of a fit, and the ranges of the parameters."""

BG, MBG, SPEND = "bg_nbd", "mbg_nbd", "gamma_gamma"
#: Parameters of each model and the values that scoring accepts.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    BG: {"r": (1e-6, 1e9), "alpha": (1e-6, 1e9), "a": (1e-6, 1e9), "b": (1e-6, 1e9)},
    MBG: {"r": (1e-6, 1e9), "alpha": (1e-6, 1e9), "a": (1e-6, 1e9), "b": (1e-6, 1e9)},
    SPEND: {"p": (1e-6, 1e9), "q": (1.001, 1e9), "gamma": (1e-6, 1e12)},
}
MAXIMUM_LIKELIHOOD, MOMENTS = "maximum_likelihood", "moments"
CONVERGED, AT_BOUND, NOT_CONVERGED, TOO_FEW = "converged", "at_bound", "not_converged", "too_few"
#: Below these a fit is not tried: four (three) parameters need more than a handful of customers to stand on.
MIN_CUSTOMERS, MIN_REPEAT_CUSTOMERS = 50, 20
#: The fall-back takes these for granted: one in five leaves after a purchase, and what a customer spends counts against
#: the average as if that had been seen in two purchases.
PRIOR_A, PRIOR_B, PRIOR_P, PRIOR_Q = 1.0, 4.0, 2.0, 5.0
