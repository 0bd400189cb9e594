"""The factory's signing key: made once, private to its owner, known to others by its fingerprint."""

import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fucina.errors import BadInput

PRIVATE_KEY_FILE = "factory.key"
PUBLIC_KEY_FILE = "factory.pub"
MAX_KEY_BYTES = 64 * 1024


class BadKey(BadInput):
    """A key file that cannot be used."""

    code = "bad_key"


class KeyExposed(BadInput):
    """Others than the owner may read the private key."""

    code = "key_exposed"


class KeyPair(NamedTuple):
    """Where the two halves lie."""

    private: Path
    public: Path


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key as PEM, hexadecimal: the name that a signature carries for its key."""
    return hashlib.sha256(_public_pem(key)).hexdigest()


def ensure_key(folder: Path) -> KeyPair:
    """The key pair in `folder`, made there if there is none.

    An elliptic key on P-256. Two processes that start at once end with the same pair. Raises BadKey, KeyExposed.
    """
    pair = KeyPair(private=folder / PRIVATE_KEY_FILE, public=folder / PUBLIC_KEY_FILE)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not pair.private.exists():
            _create(pair.private, _new_private_pem(), mode=0o600)
        public_pem = _public_pem(read_private_key(pair.private).public_key())
        if not pair.public.exists():
            _create(pair.public, public_pem, mode=0o644)
    except OSError as error:
        raise BadKey(
            f"{folder} cannot hold the signing key: {error.strerror}.", hint="Name a folder that you may write to."
        ) from error
    if fingerprint(read_public_key(pair.public)) != hashlib.sha256(public_pem).hexdigest():
        raise BadKey(
            f"{pair.public} is not the public half of {pair.private}.",
            hint=f"Move {pair.public.name} away; it is written anew from the private key.",
        )
    return pair


def read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key at `path`. Raises BadKey, KeyExposed."""
    data = _read(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyExposed(
            f"{path} has mode {mode:04o}: others than its owner may use the private key.",
            hint=f"Run `chmod 600 {path}`; if someone else may have read it, move it away so that a new key is made.",
        )
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"{path} is not a private key in PEM form without a password.", hint="Move it away; a new one is made."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey(f"{path} is not an elliptic key on P-256.", hint="Move it away; a new one is made.")
    return key


def read_public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """The public key at `path`. Raises BadKey."""
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise BadKey(f"{path} is a private key.", hint=f"Give the public one, such as {PUBLIC_KEY_FILE}.")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"{path} is not a public key in PEM form.", hint=f"Ask the factory for its {PUBLIC_KEY_FILE}."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey(f"{path} is not an elliptic key on P-256.", hint=f"Ask the factory for its {PUBLIC_KEY_FILE}.")
    return key


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _new_private_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadKey(f"There is no key file {path}.", hint=f"Give the path of a file such as {PUBLIC_KEY_FILE}.")
        with path.open("rb") as file:
            data = file.read(MAX_KEY_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadKey(f"{path} cannot be read: {error}.", hint="Check its path and permissions.") from error
    if len(data) > MAX_KEY_BYTES:
        raise BadKey(f"{path} is larger than {MAX_KEY_BYTES} bytes; it is not a key.", hint="Check the path.")
    return data


def _create(path: Path, data: bytes, *, mode: int) -> None:
    """Write a whole file under a name that may exist already; then the file that was there first stays."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
