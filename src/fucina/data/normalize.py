"""One spelling of each text: Unicode form, line ends, and characters that nobody sees."""

import re
import unicodedata

# Control characters but tab and newline; soft hyphen, zero-width and bidirectional marks, byte-order mark, surrogates.
# The zero-width joiners stay: scripts outside Europe need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_LINE_TAIL = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


def normalize(text: str) -> str:
    """NFC, line feeds, plain spaces, nothing invisible, no space at line ends, one blank line at most."""
    if not text.isascii():
        text = _SPACES.sub(" ", text)
        text = unicodedata.normalize("NFC", text)
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSEEN.sub("", text)
    text = _LINE_TAIL.sub("", text)
    return _BLANK_LINES.sub("\n\n", text).strip()
