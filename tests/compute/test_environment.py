"""The packed environment: whole, relocatable, the same bytes each time, refused when it is not right."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import zstandard

from fucina.compute import environment
from fucina.compute.environment import BadEnvironment, CannotPack, pack, unpack
from tests.line.factory import tiny_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "environment.tar.zst"
    pack(path, extras=["data"])
    return path


def rewritten(archive: Path, target: Path, change) -> Path:
    """A copy of the archive whose entries went through `change`."""
    with (
        zstandard.open(archive, "rb") as packed,
        zstandard.open(target, "wb") as out,
        tarfile.open(fileobj=packed, mode="r|") as before,
        tarfile.open(fileobj=out, mode="w|") as after,
    ):
        for entry in before:
            content = before.extractfile(entry).read()
            for new, data in change(entry, content):
                new.size = len(data)
                after.addfile(new, io.BytesIO(data))
    return target


def test_the_same_environment_is_the_same_bytes(archive, tmp_path):
    pack(tmp_path / "again.tar.zst", extras=["data"])
    assert (tmp_path / "again.tar.zst").read_bytes() == archive.read_bytes()


def test_a_stage_runs_from_it_wherever_it_lies(archive, tmp_path):
    unpack(archive, tmp_path / "first")
    shutil.move(tmp_path / "first", tmp_path / "moved")
    project = tiny_project(tmp_path / "project")
    clean = {
        "PATH": os.defpath,
        "FUCINA_PYTHON": sys.base_prefix + "/bin/python3",
        "FUCINA_HOME": str(tmp_path / "home"),
    }
    subprocess.run(
        [sys.executable, "-m", "fucina.cli", "workdirs", str(project), str(tmp_path / "work")],
        check=True,
        capture_output=True,
    )
    stage = [tmp_path / "moved" / "bin" / "fucina", "stage", "prepare", tmp_path / "work" / "prepare"]
    done = subprocess.run(stage, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "work" / "prepare" / "record.json").read_text())
    assert record["versions"]["pyarrow"]


def test_what_is_not_installed_cannot_be_packed(tmp_path, monkeypatch):
    def absent(name):
        raise environment.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "distribution", absent)
    with pytest.raises(CannotPack, match="fucina is needed and not installed"):
        pack(tmp_path / "x.tar.zst", extras=["data"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(archive, tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(BadEnvironment, match="exists"):
        unpack(archive, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_truncated_archive(archive, tmp_path):
    (tmp_path / "short.tar.zst").write_bytes(archive.read_bytes()[:200_000])
    with pytest.raises(BadEnvironment, match="cannot be unpacked"):
        unpack(tmp_path / "short.tar.zst", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["short.tar.zst"]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_a_file_that_is_no_archive(content, tmp_path):
    (tmp_path / "x.tar.zst").write_bytes(content)
    with pytest.raises(BadEnvironment):
        unpack(tmp_path / "x.tar.zst", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_archive_for_another_python(archive, tmp_path):
    def older(entry, content):
        if entry.name == environment.DESCRIPTION:
            content = content.replace(b"3.11", b"3.7")
        yield entry, content

    with pytest.raises(BadEnvironment, match=r"for Python 3\.7"):
        unpack(rewritten(archive, tmp_path / "old.tar.zst", older), tmp_path / "new")


def test_an_entry_that_leads_out_of_the_folder(archive, tmp_path):
    def escaping(entry, content):
        yield entry, content
        if entry.name == environment.DESCRIPTION:
            yield tarfile.TarInfo("../escaped"), b"!"

    with pytest.raises(BadEnvironment, match="cannot be unpacked"):
        unpack(rewritten(archive, tmp_path / "evil.tar.zst", escaping), tmp_path / "deep" / "new")
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "deep" / "escaped").exists()


def test_a_library_that_is_missing_is_noticed(archive, tmp_path):
    def without(entry, content):
        if not entry.name.startswith("site-packages/typer/"):
            yield entry, content

    with pytest.raises(BadEnvironment, match="does not run here: .*typer"):
        unpack(rewritten(archive, tmp_path / "less.tar.zst", without), tmp_path / "new")


def test_the_definition_names_the_archive():
    text = environment.definition("site.tar.zst")
    assert "site.tar.zst /opt/fucina.tar.zst" in text
    assert text.startswith("Bootstrap:")
