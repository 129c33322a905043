"""The few shapes that the picture is made of, written as SVG. No font is measured: widths are estimates."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
LINE = 16
_WIDTH_PER_CHARACTER = 0.53
_TITLE, _TEXT, _LABEL = 14, 12, 11

# fill, stroke by kind of node
COLOURS = {
    "queue": ("#fdf0f5", "#b0286a"),
    "dead-letters": ("#fbf3f3", "#a33a3a"),
    "service": ("#fff4e5", "#b85c00"),
    "table": ("#edf3fd", "#2b5fb4"),
    "bucket": ("#eef7ec", "#3a7a2a"),
    "secret": ("#fbf1f1", "#9a3535"),
    "bus": ("#f8eefb", "#8a3aa0"),
    "host": ("#f4f4f4", "#666666"),
    "panel": ("#fafafa", "#9a9a9a"),
}


@dataclass(frozen=True)
class Box:
    """A rectangle on the page."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(kw_only=True)
class Canvas:
    """Collects shapes; frames lie under lines, and lines under boxes."""

    width: float
    height: float
    frames: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)

    def frame(self, box: Box, title: str, *, stroke: str = "#8a8a8a", dashed: bool = True) -> None:
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.frames.append(f'<rect {_at(box)} rx="8" fill="none" stroke="{stroke}"{dash}/>')
        # At the right, where no line comes in.
        self.frames.append(
            _words(box.right - 12, box.y + 20, title, size=_TEXT, colour=stroke, weight="bold", anchor="end")
        )

    def node(self, box: Box, kind: str, title: str, lines: tuple[str, ...], *, dashed: bool = False) -> None:
        fill, stroke = COLOURS[kind]
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self.boxes.append(
            f'<rect {_at(box)} rx="6" fill="{fill}" stroke="{stroke}" stroke-width="1.5"{dash}/>'
        )
        self.boxes.append(
            _words(
                box.x + 12,
                box.y + 22,
                fit(title, box.width - 24, _TITLE),
                size=_TITLE,
                colour=stroke,
                weight="bold",
            )
        )
        for index, line in enumerate(lines):
            text = fit(line, box.width - 24, _TEXT)
            self.boxes.append(_words(box.x + 12, box.y + 42 + index * LINE, text, size=_TEXT))

    def arrow(self, points: list[tuple[float, float]], way: str, stroke: str) -> None:
        """A line with corners through the points; `way` puts heads at its end, its start or both."""
        heads = (' marker-end="url(#head)"' if way != "in" else "") + (
            ' marker-start="url(#head)"' if way != "out" else ""
        )
        path = " ".join(f"{'L' if index else 'M'}{x:g},{y:g}" for index, (x, y) in enumerate(points))
        line = f'fill="none" stroke="{stroke}" stroke-width="1.5" stroke-linejoin="round"'
        self.lines.append(f'<path d="{path}" {line}{heads}/>')

    def label(self, x: float, y: float, text: str, *, anchor: str = "start") -> None:
        self.boxes.append(_words(x, y, text, size=_LABEL, colour="#444444", anchor=anchor, halo=True))

    def heading(self, x: float, y: float, text: str, below: str) -> None:
        self.frames.append(_words(x, y, text, size=20, weight="bold"))
        self.frames.append(_words(x, y + 20, below, size=_TEXT, colour="#555555"))

    def render(self) -> str:
        head = (
            '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="#555555"/></marker>'
        )
        size = f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" height="{self.height:g}"'
        shapes = [*self.frames, *self.lines, *self.boxes]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family={quoteattr(FONT)}>\n'
            f"<defs>{head}</defs>\n"
            f'<rect width="{self.width:g}" height="{self.height:g}" fill="#ffffff"/>\n'
            + "".join(f"{shape}\n" for shape in shapes)
            + "</svg>\n"
        )


def height_of(lines: tuple[str, ...]) -> float:
    """How tall a node with these lines is."""
    return 36 + LINE * len(lines) + (4 if lines else 0)


def fit(text: str, width: float, size: float) -> str:
    """The text, shortened where it would leave the box."""
    most = int(width / (size * _WIDTH_PER_CHARACTER))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _at(box: Box) -> str:
    return f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'


def _words(
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    colour: str = "#222222",
    weight: str = "normal",
    anchor: str = "start",
    halo: bool = False,
) -> str:
    extra = f' font-weight="{weight}"' if weight != "normal" else ""
    extra += f' text-anchor="{anchor}"' if anchor != "start" else ""
    extra += ' paint-order="stroke" stroke="#ffffff" stroke-width="4"' if halo else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}"{extra}>{escape(text)}</text>'
