"""Rules of the style page that no linter holds."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "fucina"
LAB = Path(__file__).parent.parent / "lab"
FILES = [path for path in sorted([*SOURCE.rglob("*.py"), *LAB.rglob("*.py")]) if "migrations" not in path.parts]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LAB.parent).as_posix())
def test_a_file_is_short_and_so_are_its_functions(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 60, node.name


def test_no_room_is_a_drawer():
    assert not {path.stem for path in FILES} & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_nothing_here_evaluates_or_unpickles():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert not (isinstance(node.func, ast.Name) and name in {"eval", "exec"}), path
                assert not any(k.arg == "shell" and getattr(k.value, "value", False) is True for k in node.keywords), (
                    path
                )
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {"pickle", "marshal", "shelve"}, path
