"""Charts as SVG text: no script, no font, nothing to load."""

from collections.abc import Sequence
from html import escape

from markupsafe import Markup


def _frame(width: int, height: int, title: str, parts: Sequence[str]) -> Markup:
    body = "".join(parts)
    return Markup(  # the parts are numbers and escaped text
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "label") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def dumbbells(rows: Sequence[tuple[str, float, float]], title: str) -> Markup:
    """Draw one line per row from the raw to the clean score.

    Parameters
    ----------
    rows : sequence of (name, raw, clean)
        Scores between 0 and 1.
    title : str
        What the picture says, for those who can't see it.

    Returns
    -------
    Markup
        SVG; the axis begins at the hundredth below the lowest score and ends at 1.
    """
    low = min([0.99, *(min(raw, clean) for _, raw, clean in rows)])
    low = int(low * 100) / 100
    left, right, step, top = 130, 590, 30, 34

    def across(score: float) -> float:
        return left + (score - low) / (1 - low) * (right - left)

    height = top + step * len(rows) + 6
    parts = []
    for tick in range(5):
        score = low + (1 - low) * tick / 4
        x = across(score)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 12}" y2="{height - 8}" class="grid"/>')
        parts.append(_text(x, top - 18, f"{score:.1%}", "middle", "tick"))
    for number, (name, raw, clean) in enumerate(rows):
        y = top + step * number + 8
        parts.append(_text(left - 14, y + 4, name, "end"))
        parts.append(f'<line x1="{across(raw):.1f}" x2="{across(clean):.1f}" y1="{y}" y2="{y}" class="span"/>')
        parts.append(f'<circle cx="{across(raw):.1f}" cy="{y}" r="6" class="raw"/>')
        parts.append(f'<circle cx="{across(clean):.1f}" cy="{y}" r="6" class="clean"/>')
        parts.append(_text(right + 18, y + 4, f"{raw:.2%} → {clean:.2%}"))
    return _frame(740, height, title, parts)


def lines(raw: Sequence[float], clean: Sequence[float], labels: Sequence[str], title: str) -> Markup:
    """Draw the raw and the clean score of each run, the oldest on the left; ``labels`` name the first and the last."""
    low = int(min([0.99, *raw, *clean]) * 100) / 100
    left, right, top, bottom = 60, 640, 16, 170
    n_steps = max(len(raw) - 1, 1)

    def point(number: int, score: float) -> tuple[float, float]:
        return left + (right - left) * number / n_steps, bottom - (score - low) / (1 - low) * (bottom - top)

    parts = []
    for tick in range(3):
        score = low + (1 - low) * tick / 2
        y = point(0, score)[1]
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(_text(left - 8, y + 4, f"{score:.1%}", "end", "tick"))
    for kind, scores in (("raw", raw), ("clean", clean)):
        points = [point(number, score) for number, score in enumerate(scores)]
        parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="line {kind}"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{kind}"/>' for x, y in points)
        parts.append(_text(points[-1][0] + 10, points[-1][1] + 4, f"{kind} {scores[-1]:.2%}"))
    parts.append(_text(left, bottom + 22, labels[0], "start", "tick"))
    parts.append(_text(right, bottom + 22, labels[-1], "end", "tick"))
    return _frame(740, bottom + 32, title, parts)


def bar(share: float) -> Markup:
    """Draw a share between 0 and 1 as a bar of 100 units; what it says stands beside it as text."""
    return Markup(
        '<svg viewBox="0 0 100 8" class="bar" aria-hidden="true" preserveAspectRatio="none">'
        '<rect width="100" height="8" class="rest"/>'
        f'<rect width="{100 * share:.1f}" height="8" class="part"/></svg>'
    )
