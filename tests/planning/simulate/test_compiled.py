import os

from fucina.planning.simulate.compiled import forget_stale


def test_kept_kernels_older_than_a_source_are_dropped(tmp_path):
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for path, at in (
        (tmp_path / "a.py", 100),
        (tmp_path / "b.py", 300),
        (cache / "a.nbi", 200),
        (cache / "b.nbi", 400),
    ):
        path.write_text("")
        os.utime(path, (at, at))
    assert forget_stale(tmp_path) == 1
    assert [path.name for path in cache.iterdir()] == ["b.nbi"]
    assert forget_stale(tmp_path / "none") == 0
