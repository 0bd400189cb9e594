import hashlib
import os
from pathlib import Path

import pytest

from fucina.data.sources import (
    OutsideProject,
    SourceMissing,
    SourceNotAFile,
    SourceUnreadable,
    UnsupportedFormat,
    format_of,
    resolve,
)


def _file(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_glob_becomes_files_ordered_by_name_with_their_digest(tmp_path):
    _file(tmp_path / "corpus" / "b.txt", b"two")
    _file(tmp_path / "corpus" / "a.jsonl.gz", b"one")
    _file(tmp_path / "corpus" / ".hidden.txt")

    found = resolve([("corpus/*", "CC0-1.0", "here")], base=tmp_path)

    assert [source.name for source in found] == ["corpus/a.jsonl.gz", "corpus/b.txt"]
    assert found[1].sha256 == hashlib.sha256(b"two").hexdigest()
    assert (found[1].num_bytes, found[1].licence, found[1].origin) == (3, "CC0-1.0", "here")


def test_a_file_matched_twice_is_taken_once_with_the_first_licence(tmp_path):
    _file(tmp_path / "a.txt")

    found = resolve([("a.txt", "first", ""), ("*.txt", "second", "")], base=tmp_path)

    assert [source.licence for source in found] == ["first"]


@pytest.mark.parametrize(
    "pattern", ["/etc/passwd.txt", "../secret.txt", "a/../../b.txt", "~/x.txt", "..\\x.txt", "C:\\x.txt"]
)
def test_a_path_outside_the_project_is_refused(tmp_path, pattern):
    with pytest.raises(OutsideProject, match="outside the folder") as error:
        resolve([(pattern, "x", "")], base=tmp_path)

    assert "relative to it" in error.value.hint


@pytest.mark.parametrize("pattern", ["link.txt", "*.txt", "folder/inside.txt", "folder/*.txt", "**/*.txt"])
def test_a_link_that_leads_outside_is_refused(tmp_path, pattern):
    outside = _file(tmp_path / "outside" / "inside.txt")
    base = tmp_path / "project"
    base.mkdir()
    (base / "link.txt").symlink_to(outside)
    (base / "folder").symlink_to(outside.parent)

    with pytest.raises(OutsideProject, match="link that leads outside"):
        resolve([(pattern, "x", "")], base=base)


def test_a_link_inside_the_project_is_followed(tmp_path):
    _file(tmp_path / "real.txt", b"abc")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")

    assert resolve([("link.txt", "x", "")], base=tmp_path)[0].num_bytes == 3


def test_a_broken_link_and_a_loop_are_refused(tmp_path):
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")

    with pytest.raises(SourceMissing):
        resolve([("gone.txt", "x", "")], base=tmp_path)
    with pytest.raises((SourceUnreadable, SourceMissing)):
        resolve([("loop.txt", "x", "")], base=tmp_path)


@pytest.mark.parametrize("pattern", ["missing.txt", "corpus/*.jsonl", "", "a\0b.txt", "a**b/*.txt"])
def test_what_matches_nothing_is_refused(tmp_path, pattern):
    with pytest.raises(SourceMissing) as error:
        resolve([(pattern, "x", "")], base=tmp_path)

    assert error.value.hint


def test_a_directory_and_a_pipe_are_no_sources(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")

    with pytest.raises(SourceNotAFile, match="is a directory"):
        resolve([("folder.txt", "x", "")], base=tmp_path)
    with pytest.raises(SourceNotAFile, match="not a regular file"):
        resolve([("pipe.txt", "x", "")], base=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    _file(tmp_path / "a.txt").chmod(0)

    with pytest.raises(SourceUnreadable):
        resolve([("a.txt", "x", "")], base=tmp_path)


@pytest.mark.parametrize("name", ["a.xls", "a", "a.gz", "a.parquet.gz", "a.txt.bz2"])
def test_an_unknown_extension_is_refused(tmp_path, name):
    _file(tmp_path / name)

    with pytest.raises(UnsupportedFormat, match="no reader"):
        resolve([(name, "x", "")], base=tmp_path)


def test_formats_ignore_case_and_dots_in_the_name():
    assert format_of("v1.2/Notes.2024.TXT.GZ") == ("text", "gzip")
    assert format_of("a.htm.zst") == ("html", "zstd")
