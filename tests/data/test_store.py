"""Contents by digest on a real S3 server: in pieces, several at once, after breaks, and never wrong."""

import hashlib
import os
import threading

import pytest

from fucina.data import store as module
from fucina.data.storage import open_s3
from fucina.data.store import BadContent, ContentStore, NoDigest, NotStored, NotYet, StoreUnreachable

PIECE = 1 << 16
SIZE = 10 * PIECE + 123


@pytest.fixture
def files(s3):
    return open_s3(endpoint=s3.endpoint, region=s3.region, anonymous=False)


@pytest.fixture
def store(files, s3):
    return ContentStore(files, f"{s3.bucket}/fucina", piece_bytes=PIECE)


@pytest.fixture
def source(tmp_path):
    """Ten pieces and a bit, of which two are the same."""
    data = os.urandom(9 * PIECE)
    path = tmp_path / "source.bin"
    path.write_bytes(data + data[:PIECE] + os.urandom(123))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_sent_once_and_comes_back_the_same(store, source, tmp_path):
    sha256 = digest(source)
    assert not store.has(sha256)
    heard = []
    assert store.put(source, sha256, told=lambda done, total: heard.append((done, total))) == SIZE - PIECE
    assert heard[-1] == (10, 10)
    assert store.has(sha256)
    assert store.put(source, sha256) == 0
    target = tmp_path / "target.bin"
    assert store.get(sha256, target) == SIZE
    assert target.read_bytes() == source.read_bytes()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1])
def test_every_size(store, tmp_path, size):
    source, target = tmp_path / "s", tmp_path / "t"
    source.write_bytes(os.urandom(size))
    store.put(source, digest(source))
    assert store.get(digest(source), target) == size
    assert target.read_bytes() == source.read_bytes()


class Breaking(ContentStore):
    """Its connection is gone after so many objects."""

    left = 4

    def _write(self, path, data):
        self._count()
        super()._write(path, data)

    def _read(self, path):
        self._count()
        return super()._read(path)

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise StoreUnreachable("The line is cut.", hint="")


def test_what_arrived_before_a_break_is_not_sent_or_fetched_again(store, files, s3, source, tmp_path):
    sha256, target = digest(source), tmp_path / "target.bin"
    breaking = Breaking(files, f"{s3.bucket}/fucina", piece_bytes=PIECE)
    with pytest.raises(StoreUnreachable):
        breaking.put(source, sha256)
    assert not store.has(sha256), "what is not complete is not there"
    assert store.put(source, sha256) == SIZE - PIECE - 4 * PIECE
    breaking.left = 4
    with pytest.raises(StoreUnreachable):
        breaking.get(sha256, target)
    assert not target.exists()
    came = store.get(sha256, target)
    assert SIZE - 4 * PIECE <= came <= SIZE - 3 * PIECE, "of four reads one was the list"
    assert target.read_bytes() == source.read_bytes()


def test_a_transfer_with_a_limit_ends_and_goes_on(store, source, tmp_path):
    sha256, target = digest(source), tmp_path / "target.bin"
    store.put(source, sha256)
    with pytest.raises(NotYet, match="5 of 11 pieces"):
        store.get(sha256, target, limit_s=0.0)
    assert not target.exists()
    assert store.get(sha256, target, limit_s=0.0) == SIZE - 6 * PIECE
    assert target.read_bytes() == source.read_bytes()


def test_what_was_spoiled_here_is_fetched_again(store, source, tmp_path):
    sha256, target = digest(source), tmp_path / "target.bin"
    store.put(source, sha256)
    with pytest.raises(NotYet):
        store.get(sha256, target, limit_s=0.0)
    (partial,) = tmp_path.glob(".*.pieces")
    with partial.open("r+b") as file:
        file.write(b"spoiled")
    assert store.get(sha256, target) == SIZE - 5 * PIECE
    assert target.read_bytes() == source.read_bytes()


def test_two_at_once_leave_one_whole_file(store, source, tmp_path):
    sha256, target = digest(source), tmp_path / "target.bin"
    store.put(source, sha256)
    came, trouble = [], []

    def fetch():
        try:
            came.append(store.get(sha256, target))
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert sorted(came) == [0, 0, SIZE]
    assert target.read_bytes() == source.read_bytes()


def objects(files, s3, folder):
    selector = module.fs.FileSelector(f"{s3.bucket}/fucina/{folder}", recursive=True)
    return [info.path for info in files.get_file_info(selector) if info.is_file]


def test_a_changed_byte_in_the_storage_is_noticed(store, files, s3, source, tmp_path):
    sha256, target = digest(source), tmp_path / "target.bin"
    store.put(source, sha256)
    path = sorted(objects(files, s3, "pieces"))[3]
    with files.open_input_stream(path) as stream:
        data = bytearray(stream.read())
    data[7] ^= 1
    with files.open_output_stream(path) as stream:
        stream.write(bytes(data))
    with pytest.raises(BadContent, match="came changed"):
        store.get(sha256, target)
    assert not target.exists()
    files.delete_file(path)
    files.delete_file(f"{s3.bucket}/fucina/lists/{sha256}")
    assert store.put(source, sha256) == len(data)
    store.get(sha256, target)
    assert digest(target) == sha256


@pytest.mark.parametrize("said", [b"", b"{}", b"no json", b'{"num_bytes": 9, "piece_bytes": 1, "pieces": []}'])
def test_a_list_that_is_none_is_refused(store, files, s3, tmp_path, said):
    with files.open_output_stream(f"{s3.bucket}/fucina/lists/{'a' * 64}") as stream:
        stream.write(said)
    with pytest.raises(BadContent):
        store.get("a" * 64, tmp_path / "t")


def test_a_list_of_other_pieces_is_noticed_at_the_end(store, files, s3, source, tmp_path):
    store.put(source, digest(source))
    with files.open_input_stream(f"{s3.bucket}/fucina/lists/{digest(source)}") as stream:
        about = stream.read()
    with files.open_output_stream(f"{s3.bucket}/fucina/lists/{'b' * 64}") as stream:
        stream.write(about)
    with pytest.raises(BadContent, match="has SHA-256"):
        store.get("b" * 64, tmp_path / "t")
    assert list(tmp_path.glob("*t*")) == []


@pytest.mark.parametrize("sha256", ["", "a" * 63, "A" * 64, "../" + "a" * 61, "g" * 64])
def test_what_is_no_digest_becomes_no_path(store, tmp_path, sha256):
    for act in (store.has, lambda text: store.get(text, tmp_path / "t"), lambda text: store.put(tmp_path, text)):
        with pytest.raises(NoDigest):
            act(sha256)


def test_a_file_that_is_not_the_one_of_the_digest_is_not_stored(store, source):
    with pytest.raises(BadContent, match="not cccccccccccc"):
        store.put(source, "c" * 64)
    assert not store.has("c" * 64)


def test_what_is_not_stored_and_what_does_not_answer(store, files, s3, source, tmp_path):
    with pytest.raises(NotStored):
        store.get("d" * 64, tmp_path / "t")
    with pytest.raises(StoreUnreachable, match="nowhere"):
        ContentStore(files, "nowhere/fucina").put(source, digest(source))
