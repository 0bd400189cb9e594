"""Pseudonyms that are the same for the same value, and that nobody without the key can take back."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from fucina.data.recipe import PersonalData
from fucina.errors import BadInput

MIN_KEY_BYTES = 16
_DIGEST_BYTES = 10
_SEPARATORS = re.compile(r"[\s.\-/()]+")
# Letters only: no search may take a pseudonym for another value.
_LETTERS = str.maketrans("234567", "wxyzst")


class BadKey(BadInput):
    """The file of the key is missing or too short."""

    code = "bad_pseudonym_key"


def read_key(path: Path) -> bytes:
    """The key in a file, white space at its ends left out.

    Raises BadKey.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise BadKey(
            f"The key for pseudonyms cannot be read from {path.name}: {error.strerror}.",
            hint="Give a file with at least 16 random bytes, such as `openssl rand -hex 32` writes.",
        ) from error
    if len(key) < MIN_KEY_BYTES:
        raise BadKey(
            f"The key for pseudonyms in {path.name} has {len(key)} bytes; {MIN_KEY_BYTES} are needed.",
            hint="Make one with `openssl rand -hex 32`.",
        )
    return key


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA-256 of a value under a key, as letters."""

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms(key=...)"

    def of(self, kind: PersonalData, value: str) -> str:
        """What stands for a value; spelling with other separators or case makes no difference, another kind does."""
        plain = value.casefold() if kind is PersonalData.EMAIL else _SEPARATORS.sub("", value).casefold()
        digest = hmac.digest(self.key, f"{kind.value}\0{plain}".encode(), hashlib.sha256)[:_DIGEST_BYTES]
        return f"[{kind.value.upper()}_{base64.b32encode(digest).decode().lower().translate(_LETTERS)}]"
