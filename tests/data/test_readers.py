import gzip
import io
import json
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from fucina.data import records, streams
from fucina.data.encodings import decode
from fucina.data.readers import read_records

TEXT = "Perché la città è così bella? L'università non c'è più, però il caffè è già pronto."


def _compress(data: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data)
    return zstandard.compress(data) if suffix == ".zst" else data


def _read(path):
    return list(read_records(path, name=path.name))


def _broken(path):
    return [record.broken for record in _read(path) if record.text is None]


def _parquet(table: dict) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(table), sink)
    return sink.getvalue()


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    ("extension", "data"),
    [
        (".txt", TEXT.encode()),
        (".md", f"---\ntitle: x\n---\n{TEXT}".encode()),
        (".html", f"<html><body><nav>Menu</nav><p>{TEXT}</p><script>x()</script></body></html>".encode()),
        (".jsonl", (json.dumps({"id": 7, "text": TEXT}) + "\n").encode()),
        (".ndjson", (json.dumps({"content": TEXT}) + "\n\n").encode()),
    ],
)
def test_every_format_in_every_compression(tmp_path, extension, compression, data):
    path = tmp_path / f"document{extension}{compression}"
    path.write_bytes(_compress(data, compression))

    (record,) = _read(path)

    assert record.text.strip() == TEXT
    assert record.encoding == "utf-8"
    assert record.id == ("7" if extension == ".jsonl" else path.name + ("#1" if extension == ".ndjson" else ""))


def test_parquet_takes_text_else_content_and_sets_other_rows_aside(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet({"id": [1, 2, None], "text": [TEXT, None, " "], "content": ["no", "yes", None]}))

    records = _read(path)

    assert [(record.id, record.text, record.broken) for record in records] == [
        ("1", TEXT, ""),
        ("2", "yes", ""),
        ("a.parquet#3", None, "empty"),
    ]


@pytest.mark.parametrize("columns", [{"id": [1]}, {"text": [[1, 2]]}, {"text": [5]}, {"text": [{"a": "b"}]}])
def test_parquet_without_a_text_column_is_set_aside(tmp_path, columns):
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet(columns))

    assert _broken(path) == ["no-text"]


def test_binary_columns_are_decoded(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet({"text": [TEXT.encode("latin-1"), b"\x00\x01\x02"]}))

    records = _read(path)

    assert records[0].text == TEXT
    assert records[1].broken == "not-text"


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_damaged_parquet_is_set_aside(tmp_path, cut):
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet({"text": [TEXT] * 50})[:cut])

    assert _broken(path) == ["corrupt-parquet"]


def test_each_bad_line_is_set_aside_and_the_good_ones_stay(tmp_path):
    lines = [
        json.dumps({"text": TEXT}),
        "{not json",
        '["a list"]',
        '"a string"',
        "12345",
        json.dumps({"text": 5, "content": None}),
        json.dumps({"text": {"nested": TEXT}}),
        json.dumps({"text": "   "}),
        "[" * 100_000,
        "1" * 10_000,
        '{"text": ' + '{"a":' * 50_000,
        json.dumps({"id": {"x": 1}, "text": TEXT}),
        json.dumps({"id": True, "text": TEXT}),
        '{"text": "lone \\ud800 surrogate"}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))

    records = _read(path)

    expected = ["", *["not-json"] * 4, "no-text", "no-text", "empty", *["not-json"] * 3, "", "", ""]
    assert [record.broken for record in records] == expected
    assert records[11].id == "a.jsonl#12"
    assert records[12].id == "a.jsonl#13"


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.md", "a.jsonl"])
def test_an_empty_file_is_no_document(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")

    assert [record.broken for record in _read(path)] == ([] if name == "a.jsonl" else ["empty"])


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.md", "a.jsonl"])
def test_binary_is_no_text(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 20)

    assert set(_broken(path)) <= {"not-text", "not-json"}
    assert not [record for record in _read(path) if record.text]


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_encodings_are_detected(tmp_path, codec, name):
    path = tmp_path / name
    content = TEXT if name == "a.txt" else json.dumps({"text": TEXT}, ensure_ascii=False) + "\n"
    path.write_bytes(content.encode(codec))

    (record,) = _read(path)

    assert record.text.removeprefix("\ufeff") == TEXT
    assert record.encoding in {codec, codec.removesuffix("-sig"), codec[:6], "cp1252"}


def test_an_html_page_may_declare_its_encoding(tmp_path):
    czech = "Příliš žluťoučký kůň úpěl ďábelské ódy."
    path = tmp_path / "a.html"
    page = f'<html><head><meta charset="iso-8859-2"></head><body><p>{czech}</p></body></html>'
    path.write_bytes(page.encode("iso-8859-2"))

    assert _read(path)[0].text.strip() == czech


@pytest.mark.parametrize("data", [b"", b"a", b"\xff", b"\xfe\xff", b"\xff\xfe\x00", bytes(range(256)), b"\xef\xbb\xbf"])
def test_decoding_never_fails(data):
    assert isinstance(decode(data).text, str)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_file_keeps_the_records_before_the_end(tmp_path, suffix):
    # Numbers hardly compress, so that the cut lies well behind the first lines.
    lines = "".join(json.dumps({"text": f"{TEXT} {number * 7919}"}) + "\n" for number in range(60_000))
    data = _compress(lines.encode(), suffix)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(data[: len(data) * 2 // 3])

    records = _read(path)

    assert 0 < sum(record.text is not None for record in records) < 60_000
    assert records[-1].broken == "truncated"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damage_is_told_from_truncation(tmp_path, suffix):
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(b"this was never compressed at all")

    assert _broken(path) == ["corrupt-compression"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_several_compressed_members_are_one_file(tmp_path, suffix):
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(_compress(b"one ", suffix) + _compress(b"two", suffix))

    assert _read(path)[0].text == "one two"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_decompression_bomb_is_stopped(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 16)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(_compress(b" " * (8 << 20), suffix))
    pieces = []

    with pytest.raises(streams.BrokenStream, match="expands-too-much"):
        for piece in streams.read_pieces(path, compression="gzip" if suffix == ".gz" else "zstd"):
            pieces.append(len(piece))

    assert max(pieces, default=0) <= 8 << 20
    assert _broken(path)[-1] == "expands-too-much"


def test_one_piece_of_a_bomb_is_bounded(tmp_path):
    path = tmp_path / "bomb.txt.gz"
    compressor = zlib.compressobj(9, wbits=31)
    path.write_bytes(compressor.compress(bytes(64 << 20)) + compressor.flush())

    sizes = [len(piece) for piece in streams.read_pieces(path, compression="gzip")]

    assert sum(sizes) == 64 << 20
    assert max(sizes) < 10 << 20


def test_a_huge_line_is_skipped_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10_000)
    path = tmp_path / "a.jsonl"
    good = json.dumps({"text": TEXT})
    path.write_text(good + "\n" + json.dumps({"text": "x" * 3_000_000}) + "\n" + good)

    assert [record.broken for record in _read(path)] == ["", "too-large", ""]


def test_a_huge_text_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10_000)
    path = tmp_path / "a.txt"
    path.write_text("x" * 20_000)

    assert _broken(path) == ["too-large"]


@pytest.mark.parametrize(
    "html",
    [
        "<",
        "<div>" * 200_000,
        "</div>" * 9000 + "<b>" * 2000,
        "<p>",
        "\x01<p>x",
        "<!-- only a comment",
        "<script>x()</script>",
    ],
)
def test_strange_html_never_fails(tmp_path, html):
    path = tmp_path / "a.html"
    path.write_text(html)

    assert len(_read(path)) == 1
