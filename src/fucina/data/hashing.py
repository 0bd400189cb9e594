"""Numbers that decide by lot, the same on every machine and in every order."""

import hashlib


def hash64(*parts: object) -> int:
    """A number below 2^64 from any values."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
