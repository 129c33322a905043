"""CloudWatch's metric math, as far as scaling policies use it.

An expression is read by Python's own parser, because the two grammars agree on numbers, ids, calls, lists,
arithmetic and comparisons; anything else in it is refused.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache

Value = float | None
_Pair = Callable[[float, float], float]

_OPERATORS: dict[type[ast.AST], _Pair] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Eq: lambda a, b: float(a == b),
}


_LOGIC = re.compile(r"\b(?:AND|OR)\b")
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum}


class UnknownMath(ValueError):
    """The expression holds something that is not evaluated here."""


def evaluate(expression: str, metrics: Mapping[str, Value]) -> Value:
    """The expression's newest datapoint; None: no data. Raises UnknownMath."""
    return _Reader(expression, metrics).value(_parsed(expression))


@cache
def _parsed(expression: str) -> ast.expr:
    # A day asks the same few expressions thousands of times.
    try:
        return ast.parse(_LOGIC.sub(lambda word: word.group().lower(), expression), mode="eval").body
    except SyntaxError as error:
        raise UnknownMath(f"{expression!r} cannot be read: {error.msg}") from error


class _Reader:
    def __init__(self, expression: str, metrics: Mapping[str, Value]) -> None:
        self._expression = expression
        self._metrics = metrics

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self._metrics:
                return self._metrics[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._both(_OPERATORS[type(op)], left, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return self._both(_OPERATORS[type(op)], left, right)
            case ast.BoolOp(op=op, values=nodes):
                held = [self.value(node) for node in nodes]
                if any(value is None for value in held):
                    return None
                return float(all(held) if isinstance(op, ast.And) else any(held))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        raise UnknownMath(f"{ast.unparse(node)!r} in {self._expression!r} is not known to the model")

    def _both(self, combine: _Pair, left: ast.expr, right: ast.expr) -> Value:
        a, b = self.value(left), self.value(right)
        # A division by zero is no datapoint.
        if a is None or b is None or (combine is operator.truediv and b == 0):
            return None
        return combine(a, b)

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        match name, arguments:
            case "FILL", [series, filler]:
                value = self.value(series)
                return self.value(filler) if value is None else value
            case "IF", [condition, then, other]:
                held = self.value(condition)
                return None if held is None else self.value(then if held else other)
            case (("MAX" | "MIN" | "SUM"), [ast.List(elts=items)]):
                values = [value for item in items if (value := self.value(item)) is not None]
                return _AGGREGATES[name](values) if values else None
        raise UnknownMath(f"{name} with {len(arguments)} arguments in {self._expression!r} is not known")
