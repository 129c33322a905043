"""The report as one HTML page that needs nothing else: figures, the bill, and graphs of the day as SVG."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from ops.capacity.bill import task_hour_usd
from ops.capacity.figures import Figures
from ops.capacity.model import Day
from ops.capacity.prices import Prices
from ops.capacity.quotas import Quota, quota_rows
from ops.capacity.text import rows, watch_rows
from ops.capacity.tornado import Swing
from ops.capacity.watch import Watch

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 900, 190, 70, 24
_POINTS = 480
_COLOURS = ("#1f6feb", "#d1242f", "#8c959f")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.15rem .9rem .15rem 0;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}h2{margin:1.6rem 0 .3rem;font-size:1.05rem}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#59636e}p.s{color:#59636e}
"""
Column = npt.NDArray[Any]
Series = tuple[str, Column]


def as_page(
    title: str,
    *,
    day: Day,
    figures: Figures,
    watch: Watch,
    needs: Sequence[Quota],
    prices: Prices,
    swings: Sequence[Swing],
    sources: Sequence[str],
) -> str:
    """The whole document."""
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
        _table(rows(figures)),
        "<h2>Alarms and bounds</h2>",
        _table(watch_rows(watch)),
        "<h2>Quotas: needed at the most, of a new account's</h2>",
        _table(quota_rows(needs)),
        "<h2>Bill, US dollars a day</h2>",
        _table(
            [
                *((i.name, f"{i.usd:,.2f}", i.because) for i in sorted(figures.bill, key=lambda i: -i.usd)),
                ("in all", f"{figures.usd:,.2f}", f"{figures.usd_per_thousand:,.2f} per 1,000 events"),
            ]
        ),
        *(f"<h2>{escape(name)}</h2>{_graph(day, series)}" for name, series in _graphs(day, prices)),
        "<h2>What the answer hangs on</h2>" + _swings(swings, figures) if swings else "",
        *(f'<p class="s">{escape(source)}</p>' for source in sources),
    ]
    return "\n".join(parts) + "\n"


def _graphs(day: Day, prices: Prices) -> Iterator[tuple[str, list[Series]]]:
    track, step = day.track, day.play.step_s
    yield "Backlog: archives waiting", [("visible", track.visible), ("delayed", track.delayed)]
    yield "In flight: archives in hand", [("in flight", track.in_flight)]
    yield (
        "Workers",
        [
            ("running", track.running),
            ("desired", track.desired),
            ("ideal", track.ideal),
        ],
    )
    yield "CPU of a worker, percent", [("average", track.cpu)]
    yield "Age of the oldest that waits, minutes", [("age", track.oldest_s / 60)]
    yield "Completions, archives a minute", [("done", track.finished * 60 / step)]
    worker = day.deployed.worker
    hourly = sum(
        kind * (task_hour_usd(worker, prices, spot=spot) + worker.public_ip * prices["public_ipv4"])
        for kind, spot in ((track.on_demand, False), (track.spot, True))
    )
    yield "Cost of the workers so far, dollars", [("workers", np.cumsum(hourly) * step / 3600)]


def _graph(day: Day, series: Sequence[Series]) -> str:
    """Lines over the hours of the day."""
    hours = len(series[0][1]) * day.play.step_s / 3600
    top = max(float(values.max()) for _, values in series) or 1.0
    right, base = _WIDTH - 10, _HEIGHT - _BOTTOM
    lines = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f'<path d="M{_LEFT} 14V{base}H{right}" fill="none" stroke="#d1d9e0"/>',
        f'<text x="{_LEFT - 6}" y="18" text-anchor="end">{top:,.0f}</text>',
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">0</text>',
    ]
    for hour in range(0, int(hours) + 1, 3):
        x = _LEFT + (right - _LEFT) * hour / hours
        lines.append(f'<text x="{x:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">{hour}:00</text>')
    for number, (name, values) in enumerate(series):
        colour = _COLOURS[number]
        across, up = _points(values)
        path = " ".join(
            f"{_LEFT + (right - _LEFT) * a:.1f},{base - (base - 14) * b / top:.1f}"
            for a, b in zip(across, up, strict=True)
        )
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x = right - 90 * (len(series) - number)
        lines.append(f'<text x="{x}" y="11" style="fill:{colour}">{escape(name)}</text>')
    return "".join([*lines, "</svg>"])


def _points(values: Column) -> tuple[Column, Column]:
    """At most so many points, each the highest of its stretch, so that no peak is lost."""
    stretch = -(-len(values) // _POINTS)
    padded = np.concatenate((values, np.full(-len(values) % stretch, values[-1]))).reshape(-1, stretch)
    return np.linspace(0, 1, len(padded)), padded.max(axis=1)


def _swings(swings: Sequence[Swing], base: Figures) -> str:
    """A bar for each assumption, from its bill at the low value to that at the high one."""
    ends = [end.usd for swing in swings for end in (swing.low, swing.high)] + [base.usd]
    least, most = min(ends), max(ends)
    left, right = 330, _WIDTH - 10
    span = (most - least) or 1.0

    def x(usd: float) -> float:
        return left + (right - left) * (usd - least) / span

    lines = [f'<svg viewBox="0 0 {_WIDTH} {30 + 44 * len(swings)}" role="img">']
    for number, swing in enumerate(swings):
        y = 10 + 44 * number
        a, b = sorted((x(swing.low.usd), x(swing.high.usd)))
        lines.append(
            f'<text x="0" y="{y + 14}">{escape(swing.name)} {swing.low_value:g} … {swing.high_value:g}</text>'
        )
        lines.append(
            f'<text x="0" y="{y + 30}">${swing.low.usd:,.0f} … ${swing.high.usd:,.0f}; p95 '
            f"{swing.low.p95_minutes:,.0f} … {swing.high.p95_minutes:,.0f} min</text>"
        )
        lines.append(
            f'<rect x="{a:.0f}" y="{y + 4}" width="{max(2, b - a):.0f}" height="22" fill="#1f6feb"/>'
        )
    lines.append(f'<path d="M{x(base.usd):.0f} 6V{44 * len(swings)}" stroke="#d1242f"/></svg>')
    return "".join(lines)


def _table(cells: Sequence[tuple[str, str, str]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(a)}</th><td class="n">{escape(b)}</td><td>{escape(c)}</td></tr>'
        for a, b, c in cells
    )
    return f"<table>{body}</table>"
