"""What a file is, told by its content; what could run is refused."""

import re
import unicodedata
import zlib
from pathlib import PurePosixPath

from fucina.errors import BadInput

MAX_BYTES = 20 * 2**20
MAX_NAME = 200
MAX_INFLATED = 64 * 2**20
"""Of the packed parts of one PDF, looked through for what could run."""

SUFFIXES = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "text/plain": (".txt", ".md", ".csv"),
}
"""Kinds that are taken, with the names that they may have."""

ACTIVE = (b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/RichMedia", b"/XFA", b"/ImportData", b"/SubmitForm")
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"\bstream\r?\n")
_HEX = re.compile(rb"(/[A-Za-z]+)(?![A-Za-z])")


class BadAttachment(BadInput):
    """A file that is not taken."""

    code = "bad_attachment"


class AttachmentTooLarge(BadInput):
    """A file above the limit."""

    code = "attachment_too_large"


def check_size(num_bytes: int) -> None:
    """Raises AttachmentTooLarge or BadAttachment for an empty file."""
    if num_bytes > MAX_BYTES:
        raise AttachmentTooLarge(
            f"The file has {num_bytes / 2**20:,.1f} MiB; an attachment may have {MAX_BYTES // 2**20} MiB.",
            hint="Reduce the images in it, or split it.",
        )
    if num_bytes <= 0:
        raise BadAttachment("The file is empty.", hint="Choose another one.")


def check_name(name: str) -> str:
    """The plain name of a file. Raises BadAttachment."""
    plain = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).name).strip()
    if not plain or plain.startswith(".") or not plain.isprintable() or len(plain) > MAX_NAME or '"' in plain:
        raise BadAttachment(f"{name[:80]!r} is no name for an attachment.", hint="Use letters, digits and a suffix.")
    return plain


def kind_of(content: bytes, *, name: str) -> str:
    """The media type of the content, whatever its name says. Raises BadAttachment."""
    check_size(len(content))
    kind = _kind(content)
    suffix = PurePosixPath(name).suffix.lower()
    if kind is None or suffix not in SUFFIXES[kind]:
        looks = f"looks like {kind}" if kind else "is none of the kinds that are taken"
        raise BadAttachment(
            f"{name} {looks}.",
            hint=f"Attach {', '.join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)}.",
        )
    if kind == "application/pdf":
        _check_pdf(content, name=name)
    return kind


def _kind(content: bytes) -> str | None:
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "text/plain" if _is_plain(content) else None


def _is_plain(content: bytes) -> bool:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return False
    start = text.lstrip()[:512].lower()
    return not (start.startswith(("#!", "<", "@echo")) or "<script" in text.lower() or "<html" in start)


def _check_pdf(content: bytes, *, name: str) -> None:
    if b"%%EOF" not in content[-2048:]:
        raise BadAttachment(f"{name} begins like a PDF and does not end like one.", hint="Export it again.")
    parts = [content, *_packed(content)]
    for part in parts:
        plain = _NAME_ESCAPE.sub(lambda match: bytes([int(match.group(1), 16)]), part)
        if b"/Encrypt" in plain:
            raise BadAttachment(f"{name} is encrypted.", hint="Save it without a password.")
        found = {match.group(1) for match in _HEX.finditer(plain)} & set(ACTIVE)
        if found:
            raise BadAttachment(
                f"{name} has parts that could run or hide: {', '.join(sorted(item.decode() for item in found))}.",
                hint="Print it to a new PDF and attach that.",
            )


def _packed(content: bytes) -> list[bytes]:
    """The object streams of a PDF, unpacked; what is no such stream is passed over."""
    parts, left = [], MAX_INFLATED
    for match in _STREAM.finditer(content):
        if b"/ObjStm" not in content[max(0, match.start() - 1024) : match.start()]:
            continue
        try:
            part = zlib.decompressobj().decompress(content[match.end() :], left)
        except zlib.error:
            continue
        left -= len(part)
        parts.append(part)
        if left <= 0:
            raise BadAttachment("The PDF unpacks to more than can be looked through.", hint="Export it again.")
    return parts
