"""A release as one ZIP file."""

import io
import zipfile

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fucina.hub.api.archive import stream_zip


def write(folder, files):
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


@hypothesis_settings(deadline=None, max_examples=30)
@given(
    files=st.dictionaries(
        st.sampled_from(["README.md", "model/a.bin", "model/b.bin", "data/é.json"]), st.binary(max_size=3_000)
    )
)
def test_the_archive_holds_exactly_the_files(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("release")
    write(folder, files)
    data = b"".join(stream_zip(folder, sorted(files), root="norme-v1"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"norme-v1/{path}": content for path, content in files.items()
        }
    assert data == b"".join(stream_zip(folder, sorted(files), root="norme-v1"))


def test_a_large_file_is_sent_in_pieces(tmp_path):
    write(tmp_path, {"model.bin": bytes(5 * 2**20)})
    pieces = list(stream_zip(tmp_path, ["model.bin"], root="r"))
    assert max(len(piece) for piece in pieces) < 2 * 2**20
    assert zipfile.ZipFile(io.BytesIO(b"".join(pieces))).read("r/model.bin") == bytes(5 * 2**20)
