"""Who will buy, leave, spend: candidate models, an honest choice among them, scores with reasons, all of it tables.

The way of a target: ``task`` (what is predicted), ``encoding`` (features to terms), ``candidates`` and ``baselines``
(what is tried: ``linear``, ``bayes``, ``trees``), ``cross_fit`` and ``calibration`` (honest scores), ``selection`` (the
choice), ``storage`` and ``tables`` (fits and scores as tables), ``scorecard`` (in words and points).
"""
