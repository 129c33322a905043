"""A series as an SVG picture: bars over time, drawn on the server, readable without its colours."""

from datetime import datetime

from markupsafe import Markup, escape

from ops.fleet.documents import Series
from ops.fleet.throughput import WAITING
from ops.fleet.wording import size

_WIDTH, _HEIGHT, _BASE = 600, 120, 100
_TEMPLATE = Markup(
    '<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    '<line class="axis" x1="0" y1="{base}" x2="{width}" y2="{base}"/>{bars}'
    '<text x="{width}" y="{text}" text-anchor="end">{last}</text>'
    '<text x="{middle}" y="{text}" text-anchor="middle">{peak}</text>'
    '<text x="0" y="{text}">{first}</text></svg>'
)
_BAR = Markup('<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"><title>{title}</title></rect>')


def told(series: Series, value: float) -> str:
    """A value per second, in the metric's unit; of a level, the level."""
    if series.name.startswith(WAITING):
        return f"{value:,.0f}"
    rate = value / series.period_s
    return f"{size(int(rate))}/s" if series.unit == "Bytes" else f"{rate:,.2f}/s"


def plot(series: Series) -> Markup:
    """The picture; its label says the highest and the last value."""
    points = series.points
    highest = max((point.value for point in points), default=0.0)
    step = _WIDTH / max(1, len(points))
    bars = Markup().join(
        _BAR.format(
            x=index * step + 0.5,
            y=_BASE - _height(point.value, highest),
            w=max(0.5, step - 1),
            h=_height(point.value, highest),
            title=f"{point.at:%H:%M}Z {told(series, point.value)}",
        )
        for index, point in enumerate(points)
        if point.value
    )
    latest = points[-1].value if points else 0.0
    return _TEMPLATE.format(
        width=_WIDTH,
        height=_HEIGHT,
        base=_BASE,
        text=_HEIGHT - 4,
        label=escape(f"{series.name}: highest {told(series, highest)}, last {told(series, latest)}"),
        bars=bars,
        middle=_WIDTH // 2,
        peak=f"highest {told(series, highest)}" if highest else "nothing",
        first=_at(points[0].at if points else None),
        last=_at(points[-1].at if points else None),
    )


def _height(value: float, highest: float) -> float:
    return 0.0 if not highest else (_BASE - 4) * value / highest


def _at(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%H:%M}Z"
