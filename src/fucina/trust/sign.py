"""Signing a folder with the factory's key, so that anyone with the public half can check it offline."""

import os
from pathlib import Path

from model_signing import hashing, signing

from fucina.errors import BadInput
from fucina.trust.keys import BadKey, KeyExposed, KeyPair, ensure_key, fingerprint, read_private_key
from fucina.trust.seal import SIGNATURE_FILE, FolderCheck, envelope, split, verify_folder
from fucina.trust.tree import walk

__all__ = [
    "BadKey",
    "FolderCheck",
    "KeyExposed",
    "KeyPair",
    "NotSignable",
    "ensure_key",
    "sign_folder",
    "verify_folder",
]


class NotSignable(BadInput):
    """The folder holds something that a signature cannot cover."""

    code = "not_signable"


def sign_folder(folder: Path, *, private_key: Path) -> str:
    """Write the signature over every file of `folder` into it; the fingerprint of the key.

    Whole files are hashed, not shards: the model-signing command line checks only that form.
    Raises NotSignable, BadKey, KeyExposed.
    """
    key = read_private_key(private_key)
    tree = walk(folder)
    if tree.findings:
        first = tree.findings[0]
        raise NotSignable(
            f"{first.path} cannot be signed: {first.message}", hint=f"{len(tree.findings)} such places; remove them."
        )
    ignored = [name for name in tree.sizes if name.startswith(".git")]
    if ignored or not tree.sizes.keys() - {SIGNATURE_FILE}:
        what = f"{ignored[0]} would not be covered by standard tools" if ignored else "there is no file in it"
        raise NotSignable(f"{folder.name} cannot be signed: {what}.", hint="Sign a folder with the files of a release.")
    temporary = folder.with_name(f".{folder.name}.{SIGNATURE_FILE}")
    files = hashing.Config().use_file_serialization().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)
    signer = signing.Config().use_elliptic_key_signer(private_key=private_key)
    signer.set_hashing_config(files).sign(folder, temporary)
    payload, signature, _ = split(temporary.read_bytes())
    name = fingerprint(key.public_key())
    temporary.write_bytes(envelope(payload=payload, signature=signature, key_fingerprint=name))
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(folder / SIGNATURE_FILE)
    return name
