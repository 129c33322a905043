"""A value of many fields is made by their names: seven strings in a row are seven chances to swap two."""

import ast

from tests.source.tree import classes

_MOST_BY_POSITION = 4


def _options(node: ast.ClassDef) -> dict[str, str] | None:
    """The options of the class's dataclass decorator; None where it has none."""
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(call).rpartition(".")[2].endswith("dataclass"):
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            return {str(keyword.arg): ast.unparse(keyword.value) for keyword in keywords}
    return None


def _by_position(node: ast.ClassDef, options: dict[str, str]) -> list[str]:
    """The fields that can be given by position."""
    if options.get("kw_only") == "True":
        return []
    fields = (item for item in node.body if isinstance(item, ast.AnnAssign))
    return [
        ast.unparse(field.target)
        for field in fields
        if "ClassVar" not in ast.unparse(field.annotation)
        and not (field.value and "kw_only=True" in ast.unparse(field.value))
    ]


def test_dataclasses_of_more_than_four_fields_are_keyword_only() -> None:
    seen, long = 0, []
    for place, node in classes("runtime", "stacks", "ops", "local", "benchmarks"):
        options = _options(node)
        if options is not None:
            seen += 1
            fields = _by_position(node, options)
            if len(fields) > _MOST_BY_POSITION:
                long.append(f"{place} {node.name} takes {len(fields)} fields by position: add kw_only=True")
    assert seen > 100
    assert not long, "\n".join(long)
