"""Docs that a stranger can follow: the reference is the code's, every command runs, every link leads somewhere."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EXAMPLE
from tests.line.factory import Factory

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands(page: Path) -> list[str]:
    """Lines that begin with `$` in console blocks."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_reference_is_what_the_code_says(tmp_path):
    made = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    written = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.iterdir()}
    kept = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").iterdir()}
    assert written == kept, "run `python docs/generate.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_shows_the_two_commands():
    assert commands(ROOT / "README.md") == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo:", makefile, re.MULTILINE) and re.search(r"^test:", makefile, re.MULTILINE)


@pytest.mark.line
@pytest.mark.slow
@pytest.mark.parametrize("page", ["tutorial.md", "how-to.md"])
def test_every_command_shown_runs(page, tmp_path):
    factory = Factory(tmp_path / "home")
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "penna-nuova").symlink_to(EXAMPLE)
    shown = commands(ROOT / "docs" / page)
    assert shown
    try:
        for command in shown:
            words = shlex.split(command)
            assert words[0] == "fucina"
            done = factory.cli(*words[1:], cwd=tmp_path)
            assert done.returncode == 0, f"{command}: {done.stderr}"
    finally:
        factory.cli("down")
