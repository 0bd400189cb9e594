"""Keys and passwords in text: the shapes that their issuers document, and what is assigned to a name that says so."""

import math
from collections import Counter
from collections.abc import Iterator

import re2

_PRIVATE_KEY = (
    r"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----[0-9A-Za-z+/=:,\\ \r\n.\-]+?"
    r"-----END (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
)
_SHAPES = (
    _PRIVATE_KEY,
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # Amazon
    r"\bgh[opsur]_[0-9A-Za-z]{36,}\b",  # GitHub
    r"\bgithub_pat_[0-9A-Za-z_]{60,}\b",
    r"\bglpat-[0-9A-Za-z_\-]{20,60}\b",  # GitLab
    r"\bxox[abeoprs]-[0-9A-Za-z\-]{10,}\b",  # Slack
    r"\bAIza[0-9A-Za-z_\-]{35}\b",  # Google
    r"\b[rs]k_live_[0-9A-Za-z]{16,}\b",  # Stripe
    r"\bhf_[A-Za-z]{30,40}\b",  # Hugging Face
    r"\bsk-(?:proj-|ant-)?[0-9A-Za-z_\-]{32,}\b",  # model vendors
    r"\bSG\.[0-9A-Za-z_\-]{20,24}\.[0-9A-Za-z_\-]{40,46}\b",  # SendGrid
    r"\bnpm_[0-9A-Za-z]{36}\b",
    r"\bpypi-AgE[0-9A-Za-z_\-]{50,}\b",
    r"\beyJ[0-9A-Za-z_\-]+\.eyJ[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]+",  # JSON web token, RFC 7519
)
_ASSIGNED = (
    r"(?i)\b(?:api[_\- ]?key|secret[_\- ]?key|access[_\- ]?token|auth[_\- ]?token|client[_\- ]?secret|password|passwd)"
    r"[\"']?[ \t]{0,3}(?:=|:|=>)[ \t]{0,3}[\"']?([0-9A-Za-z_\-+/=.~!@#$%^&*]{12,200})"
)
_MIN_BITS_PER_CHARACTER = 3.3
"""Shannon's entropy, below which a value is a word or an example."""


def _compile(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 256 << 20
    return re2.compile(pattern.encode(), options)


_ANY_SHAPE = _compile("|".join(f"(?:{shape})" for shape in _SHAPES))
_ANY_ASSIGNMENT = _compile(_ASSIGNED)


def search(data: bytes) -> Iterator[tuple[int, int]]:
    """Where secrets stand in UTF-8 text."""
    found = [match.span() for match in _ANY_SHAPE.finditer(data)]
    for match in _ANY_ASSIGNMENT.finditer(data):
        start, end = match.span(1)
        if _is_random(data[start:end]):
            found.append((start, end))
    last = -1
    for start, end in sorted(found):
        if start >= last:
            yield start, end
            last = end


def _is_random(value: bytes) -> bool:
    """Digits and letters that no word or placeholder has: `changeme12345`, `${PASSWORD}` and paths stay."""
    kinds = (any(48 <= byte <= 57 for byte in value), any(65 <= byte <= 90 for byte in value),
             any(97 <= byte <= 122 for byte in value))  # fmt: skip
    if sum(kinds) < 2 or not kinds[0]:
        return False
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= _MIN_BITS_PER_CHARACTER
