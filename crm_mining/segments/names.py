"""Names of segments, by the features that mark them."""

from collections.abc import Mapping

from crm_mining.segments.clusters import Segments

#: A feature marks a segment from this many standard deviations on.
MARK = 0.4


def name_segments(segments: Segments, words: Mapping[str, tuple[str, str]], noun: str = "buyers") -> dict[int, str]:
    """Name each segment by the features that mark it.

    Parameters
    ----------
    segments : Segments
        Centroids are in standard deviations from the mean of all. A segment that has a name keeps it.
    words : mapping
        Feature to the words for a high and a low value; the order is that of the words in a name. A feature without
        words names itself where it is high ("garden").
    noun : str
        What they all are.

    Returns
    -------
    dict
        Key to name: up to two words, the strongest marks (see :data:`MARK`), in the order of ``words``;
        up to four, and then a number, where another segment has that name. The same for the same profile.
    """
    order = {feature: i for i, feature in enumerate([*words, *(f for f in segments.features if f not in words)])}
    found = {key: name for key, name in segments.names.items() if key in set(segments.keys.tolist())}
    for key, centroid in zip(segments.keys.tolist(), segments.centroids, strict=True):
        if key in found:
            continue
        marks = [(f, z) for f, z in zip(segments.features, centroid.tolist(), strict=True) if _word(f, z, words)]
        marks = sorted(marks, key=lambda mark: (-round(abs(mark[1]), 9), order[mark[0]]))
        candidates = []
        for n_words in (2, 3, 4):
            chosen = sorted((m for m in marks[:n_words] if abs(m[1]) >= MARK), key=lambda mark: order[mark[0]])
            candidates.append(f"{' '.join(_word(f, z, words) for f, z in chosen) or 'average'} {noun}")
        candidates += [f"{candidates[0]} {number}" for number in range(2, len(segments.keys) + 2)]
        found[key] = next(name for name in candidates if name not in found.values())
    return found


def _word(feature: str, z: float, words: Mapping[str, tuple[str, str]]) -> str:
    high, low = words.get(feature, (feature.lower(), ""))
    return high if z > 0 else low
