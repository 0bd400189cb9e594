import csv
import gzip
import io
import json
import stat
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pypdf import PdfWriter

from fucina.data import records, streams
from fucina.data.encodings import decode
from fucina.data.formats import archive
from fucina.data.mojibake import repair
from fucina.data.readers import read_records
from fucina.data.recipe import HtmlProfile

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


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1250", "„Příliš žluťoučký kůň úpěl ďábelské ódy,“ řekl a odešel domů přes zasněžené pole."),
        ("iso-8859-2", "Zażółć gęślą jaźń, powiedział i poszedł do domu przez pole pełne śniegu i błota."),
        ("cp1251", "Всички хора се раждат свободни и равни по достойнство и права, каза той."),
        ("iso-8859-7", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα."),
        ("cp1257", "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir sąžinė."),
        ("iso-8859-15", "Un œuf, une œuvre, un cœur à l'œuvre : où est passé le bœuf, à présent, ma sœur ?"),
        ("cp1252", "“Un œuf”, dit-il – et le cœur de la sœur s’arrêta… à cause de l’été."),
    ],
)
def test_tables_of_other_parts_of_europe(codec, text):
    decoded = decode((text + "\n").encode(codec) * 3)

    assert decoded.text == (text + "\n") * 3


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


def _archive(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_has_a_record_in_each_row(tmp_path, compression, delimiter):
    rows = [["id", "Text", "licence"], ["7", 'He said "yes"; then, no.\nTwice.', "CC0-1.0"], ["", TEXT, ""]]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    path = tmp_path / f"a.csv{compression}"
    path.write_bytes(_compress(buffer.getvalue().encode(), compression))

    first, second = _read(path)

    assert (first.id, first.text, first.licence) == ("7", 'He said "yes"; then, no.\nTwice.', "CC0-1.0")
    assert (second.id, second.text, second.licence) == (f"{path.name}#3", TEXT, "")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_a_table_in_any_encoding(tmp_path, codec):
    path = tmp_path / "a.tsv"
    path.write_bytes(f"id\ttext\n1\t{TEXT}\n".encode(codec))

    (record,) = _read(path)

    assert record.text == TEXT


def test_bad_rows_are_set_aside_and_the_good_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10_000)
    rows = [
        b"id,text",
        b"1,good",
        b"2",
        b"3,a,b,c",
        b'4,"x"y',
        b"5," + b"x" * 20_000,
        b"6,\x00\x01\x02",
        b"7,",
        b"8,good",
    ]
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join(rows))

    found = _read(path)

    assert sorted((r.broken for r in found if r.broken), key=str) == sorted(
        ["wrong-columns", "wrong-columns", "not-csv", "too-large", "not-text", "empty"]
    )
    assert [record.id for record in found if record.text] == ["1", "8"]


def test_an_open_quotation_mark_does_not_gather_the_rest_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10_000)
    path = tmp_path / "a.csv"
    path.write_text('text\n"open\n' + "line of a table\n" * 5000)

    found = _read(path)

    assert found[0].broken == "not-csv"
    assert sum(record.text is not None for record in found) > 3000


@pytest.mark.parametrize("data", [b"", b"\n\n", b"id,name\n1,x\n", b"\xff\xfe\x00", bytes(range(256)) * 9])
def test_a_table_without_texts_never_fails(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(data)

    assert not [record for record in _read(path) if record.text]


def _warc(path, answers, *, gzip_records=False):
    with path.open("wb") as file:
        for kind, url, http, body in answers:
            block = f"HTTP/1.1 {http}\r\n\r\n".encode() + body
            head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
            head += f"Content-Type: application/http; msgtype={kind}\r\nContent-Length: {len(block)}\r\n\r\n"
            record = head.encode() + block + b"\r\n\r\n"
            file.write(gzip.compress(record) if gzip_records else record)
    return path


PAGE = f"<html><body><nav>Menu</nav><main>{f'<p>{TEXT}</p>' * 9}</main></body></html>"


@pytest.mark.parametrize("gzip_records", [False, True])
@pytest.mark.parametrize("profile", HtmlProfile)
def test_a_web_archive_gives_pages_and_says_what_it_left_out(tmp_path, gzip_records, profile):
    html = "200 OK\r\nContent-Type: text/html; charset=iso-8859-2"
    path = _warc(
        tmp_path / f"a.warc{'.gz' if gzip_records else ''}",
        [
            ("request", "https://example.org/1", "200", b""),
            ("response", "https://example.org/1", html, PAGE.replace("è", "ě").encode("iso-8859-2", "replace")),
            ("response", "https://example.org/2", "404 Not Found\r\nContent-Type: text/html", PAGE.encode()),
            ("response", "https://example.org/3", "200 OK\r\nContent-Type: image/png", b"\x89PNG"),
            ("response", "https://example.org/4", html + "\r\nX-Robots-Tag: noai", PAGE.encode()),
            ("response", "https://example.org/5", html + "\r\nTDM-Reservation: 1", PAGE.encode()),
            ("response", "https://example.org/6", "200 OK\r\nContent-Type: text/plain", TEXT.encode()),
        ],
        gzip_records=gzip_records,
    )

    found = list(read_records(path, name=path.name, profile=profile))

    assert [record.broken for record in found] == ["", "http-error", "other-format", "opted-out", "opted-out", ""]
    assert "Menu" not in found[0].text
    assert (found[0].url, found[5].text) == ("https://example.org/1", TEXT)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("share", [0.06, 0.2, 0.45, 0.9, 0.98])
def test_a_cut_web_archive_keeps_what_came_before(tmp_path, compress, share):
    answer = ("response", "https://example.org/1", "200 OK\r\nContent-Type: text/html", PAGE.encode())
    path = _warc(tmp_path / f"a.warc{'.gz' if compress else ''}", [answer] * 4, gzip_records=compress)
    (expected,) = {record.text for record in _read(path)}
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    found = _read(path)

    assert [record.text for record in found if record.text] == [expected] * int(share * 4)
    assert found[-1].broken in {"truncated", "corrupt-warc"}


@pytest.mark.parametrize(
    "data", [b"", b"WARC/1.1\r\n", b"junk" * 9999, b"WARC/1.1\r\nContent-Length: -5\r\n\r\n", bytes(99)]
)
def test_strange_web_archives_never_fail(tmp_path, data):
    (tmp_path / "a.warc").write_bytes(data)

    assert not [record for record in _read(tmp_path / "a.warc") if record.text]


def test_a_compressed_body_is_unpacked(tmp_path):
    head = "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip"
    path = _warc(tmp_path / "a.warc", [("response", "https://example.org/1", head, gzip.compress(PAGE.encode()))])

    assert TEXT in _read(path)[0].text


def _pdf(text: str) -> bytes:
    """One page that shows a line of text, written by hand so that no writer's library is needed."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> "
        b"/MediaBox [0 0 612 792] >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def test_the_text_layer_of_a_pdf(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(_pdf("Perché la città è bella"))

    assert _read(path)[0].text == "Perché la città è bella"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_pdf(""), "no-text-layer"),
        (b"%PDF-1.4\n", "corrupt-pdf"),
        (b"not a pdf at all", "corrupt-pdf"),
        (_pdf("text")[:200], "corrupt-pdf"),
        (b"", "empty"),
    ],
)
def test_a_pdf_without_text_is_set_aside(tmp_path, data, reason):
    path = tmp_path / "a.pdf"
    path.write_bytes(data)

    assert _broken(path) == [reason]


def test_a_pdf_with_a_password_is_set_aside(tmp_path):
    writer = PdfWriter(clone_from=io.BytesIO(_pdf("secret")))
    writer.encrypt("password", algorithm="RC4-128")
    path = tmp_path / "a.pdf"
    writer.write(path)

    assert _broken(path) == ["encrypted"]


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DOCX = (
    f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>Perché la </w:t></w:r><w:del><w:r><w:delText>brutta'
    "</w:delText></w:r></w:del><w:r><w:t>città</w:t><w:tab/><w:t>bella</w:t></w:r></w:p><w:p><w:r><w:t>Due"
    "</w:t></w:r></w:p></w:body></w:document>"
)
ODT = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text><text:h>Titolo</text:h>'
    '<text:p>La <text:span>città</text:span><text:s text:c="2"/>bella<office:annotation><text:p>nota</text:p>'
    "</office:annotation> davvero</text:p></office:text></office:body></office:document-content>"
)
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


def test_word_processor_documents(tmp_path):
    docx = _archive(tmp_path / "a.docx", {"word/document.xml": DOCX.encode()})
    odt = _archive(tmp_path / "a.odt", {"content.xml": ODT.encode()})

    assert _read(docx)[0].text == "Perché la città\tbella\nDue"
    assert _read(odt)[0].text == "Titolo\nLa città  bella davvero"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"other.xml": b"<x/>"}, "corrupt-office"),
        ({"word/document.xml": b"<not closed"}, "corrupt-office"),
        ({"word/document.xml": BOMB.encode()}, "corrupt-office"),
        ({"word/document.xml": b"<x/>"}, "empty"),
        ({"word/document.xml": b" " * 2_000_000}, "expands-too-much"),
    ],
)
def test_strange_word_processor_documents_are_set_aside(tmp_path, monkeypatch, members, reason):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1_000_000)

    assert _broken(_archive(tmp_path / "a.docx", members)) == [reason]


def test_an_archive_is_read_member_by_member(tmp_path):
    members = {
        "b/page.html": PAGE.encode(),
        "a.txt.gz": gzip.compress(TEXT.encode()),
        "c.jsonl": json.dumps({"id": "x", "text": TEXT}).encode() + b"\n{broken\n",
        "d.docx": _archive(tmp_path / "inner", {"word/document.xml": DOCX.encode()}).read_bytes(),
        "e.txt.gz": gzip.compress(TEXT.encode())[:-9],
        "__MACOSX/._a.txt": b"\x00",
    }

    found = _read(_archive(tmp_path / "a.zip", members))

    assert [(record.id, record.broken) for record in found] == [
        ("a.zip!a.txt.gz", ""),
        ("a.zip!b/page.html", ""),
        ("x", ""),
        ("a.zip!c.jsonl#2", "not-json"),
        ("a.zip!d.docx", ""),
        ("a.zip!e.txt.gz#end", "truncated"),
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.txt", "unsafe-name"),
        ("a/../../b.txt", "unsafe-name"),
        ("/etc/passwd.txt", "unsafe-name"),
        ("..\\secret.txt", "unsafe-name"),
        ("C:\\secret.txt", "unsafe-name"),
        ("inner.zip", "nested-archive"),
        ("inner.tar.gz", "nested-archive"),
        ("photo.png", "other-format"),
        ("table.parquet", "other-format"),
    ],
)
def test_members_that_are_refused(tmp_path, name, reason):
    found = _read(_archive(tmp_path / "a.zip", {name: TEXT.encode(), "good.txt": TEXT.encode()}))

    assert [record.broken for record in found if record.text is None] == [reason]
    assert [record.id for record in found if record.text] == ["a.zip!good.txt"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")

    assert _broken(tmp_path / "a.zip") == ["unsafe-name"]


@pytest.mark.parametrize("inner", ["", ".gz"])
def test_a_bomb_of_an_archive_is_stopped(tmp_path, monkeypatch, inner):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 16)
    monkeypatch.setattr(archive, "FREE_BYTES", 1 << 16)
    path = tmp_path / "a.zip"
    data = _compress((b" " * 9999 + b"\n") * 800, inner)
    _archive(path, {f"{number}.jsonl{inner}": data for number in range(9)})

    assert "expands-too-much" in _broken(path)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)

    assert _broken(_archive(tmp_path / "a.zip", {f"{n}.txt": b"x" for n in range(4)})) == ["too-many-members"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_archive_is_set_aside(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)

    assert _broken(tmp_path / "a.zip") == ["corrupt-zip"]


@pytest.mark.parametrize("place", [40, 60, 100])
def test_a_damaged_member_leaves_the_others(tmp_path, place):
    path = _archive(tmp_path / "a.zip", {"a.txt": bytes(range(32, 127)) * 30, "b.txt": TEXT.encode()})
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)

    found = _read(path)

    assert [record.broken for record in found] == ["corrupt-zip", ""]


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="index, noai">',
        "<META CONTENT='noai, noimageai' NAME='robots'>",
        '<meta name="tdm-reservation" content="1">',
        "<meta name=tdm-reservation content=1>",
    ],
)
def test_a_page_may_opt_out(tmp_path, meta):
    path = tmp_path / "a.html"
    path.write_text(f"<html><head>{meta}</head><body><p>{TEXT}</p></body></html>")

    assert _broken(path) == ["opted-out"]


@pytest.mark.parametrize(
    "meta",
    ['<meta name="robots" content="noindex">', '<meta name="tdm-reservation" content="0">', "<p>noai notrain tdm</p>"],
)
def test_other_pages_do_not_opt_out(tmp_path, meta):
    path = tmp_path / "a.html"
    path.write_text(f"<html><head>{meta}</head><body><p>{TEXT}</p></body></html>")

    assert _broken(path) == []


@pytest.mark.parametrize(
    "text", [TEXT, "Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "Καλημέρα σε όλους", "“Où est-il ?” — là"]
)
@pytest.mark.parametrize("table", ["latin-1", "cp1252"])
def test_mojibake_is_undone(text, table):
    wrong = "".join(bytes([byte]).decode(table, "ignore") or chr(byte) for byte in text.encode())

    assert repair(f"One line.\n{wrong}") == f"One line.\n{text}"


@pytest.mark.parametrize("text", [TEXT, "ÂNCORA À VISTA", "Ãlvaro Ä ö", "SÃO PAULO", "Å i åa ä e ö", "abc"])
def test_text_that_is_right_stays(text):
    assert repair(text) == text
