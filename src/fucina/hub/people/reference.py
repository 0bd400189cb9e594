"""Names for rows that people and programs use; they say nothing about how many there are."""

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that reads like a digit."""

LENGTH = 12


def new_ref(kind: str) -> str:
    """A fresh reference such as `run-7k3m9q2wz4xh`."""
    return f"{kind}-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
