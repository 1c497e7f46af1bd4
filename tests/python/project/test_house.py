"""The house stays habitable: no function of crm_mining over 60 lines, no module over 500."""

import ast
from pathlib import Path

from conftest import ROOT

#: Lines of a function from its `def` to its end, without its docstring: what has to be held in mind to change it.
LONGEST_FUNCTION = 60
LONGEST_MODULE = 500
MODULES = sorted((ROOT / "crm_mining").rglob("*.py"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def long_functions(path: Path, most: int) -> list[str]:
    """Name the functions and methods of a module that are longer than ``most`` lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f"{path.name}: {node.name}, {body_lines(node)} lines" for node in functions if body_lines(node) > most]


def test_no_function_is_longer_than_a_screen() -> None:
    assert [found for path in MODULES for found in long_functions(path, LONGEST_FUNCTION)] == []


def test_no_module_is_longer_than_500_lines() -> None:
    sizes = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_a_long_function_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "planted.py"
    module.write_text('def f():\n    """Say\n\n    little.\n    """\n' + "    x = 1\n" * 60)
    assert long_functions(module, 60) == ["planted.py: f, 61 lines"]
    assert long_functions(module, 61) == []
