import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from model_signing import hashing, signing

from fucina.trust.keys import BadKey, KeyExposed, ensure_key, read_public_key
from fucina.trust.seal import SIGNATURE_FILE
from fucina.trust.sign import NotSignable, sign_folder, verify_folder


@pytest.fixture
def keys(tmp_path):
    return ensure_key(tmp_path / "keys")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "release"
    (folder / "model").mkdir(parents=True)
    (folder / "README.md").write_text("A model.")
    (folder / "model" / "weights").write_bytes(bytes(range(256)) * 8)
    return folder


def codes(check):
    return {(finding.path, finding.code) for finding in check.findings}


def test_a_new_key_is_private_to_its_owner(tmp_path):
    pair = ensure_key(tmp_path / "new" / "keys")

    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(pair.private.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in pair.private.parent.iterdir()) == ["factory.key", "factory.pub"]
    assert b"PRIVATE" not in pair.public.read_bytes()


def test_a_key_that_is_there_is_kept(keys):
    before = keys.private.read_bytes(), keys.public.read_bytes()

    assert ensure_key(keys.private.parent) == keys
    assert (keys.private.read_bytes(), keys.public.read_bytes()) == before


def test_the_public_half_is_written_again(keys):
    before = keys.public.read_bytes()
    keys.public.unlink()

    ensure_key(keys.private.parent)

    assert keys.public.read_bytes() == before


def test_many_processes_that_start_at_once_end_with_one_key(tmp_path):
    found, start = [], threading.Barrier(8)

    def begin():
        start.wait()
        found.append(ensure_key(tmp_path / "keys").public.read_bytes())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 2


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o610])
def test_a_private_key_that_others_may_use_is_refused(keys, folder, mode):
    keys.private.chmod(mode)

    with pytest.raises(KeyExposed, match=f"{mode:04o}") as refused:
        sign_folder(folder, private_key=keys.private)

    assert "chmod 600" in refused.value.hint
    with pytest.raises(KeyExposed):
        ensure_key(keys.private.parent)


def test_a_public_key_of_another_pair_is_refused(keys, tmp_path):
    keys.public.write_bytes(ensure_key(tmp_path / "other").public.read_bytes())

    with pytest.raises(BadKey, match="not the public half"):
        ensure_key(keys.private.parent)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 40, b"x" * 100_000, "schlüssel".encode("utf-16"), b"-----BEGIN"]
)
def test_what_is_no_key_is_refused(tmp_path, folder, content):
    path = tmp_path / "some.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(BadKey):
        read_public_key(path)
    with pytest.raises(BadKey):
        sign_folder(folder, private_key=path)


def test_keys_of_another_kind_are_refused(tmp_path):
    for name, key in (("ed", ed25519.Ed25519PrivateKey.generate()), ("p384", ec.generate_private_key(ec.SECP384R1()))):
        path = tmp_path / name
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
        with pytest.raises(BadKey, match="P-256"):
            read_public_key(path)


def test_a_private_key_in_place_of_the_public_one_is_refused(keys):
    with pytest.raises(BadKey, match="is a private key"):
        read_public_key(keys.private)


@pytest.mark.parametrize("where", ["nowhere", "keys", "a\0b"])
def test_a_missing_key_is_refused(tmp_path, keys, where):
    with pytest.raises(BadKey):
        read_public_key(tmp_path / where)


def test_a_key_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(BadKey, match="cannot hold the signing key"):
        ensure_key(tmp_path / "file")


def test_a_signed_folder_verifies(folder, keys):
    name = sign_folder(folder, private_key=keys.private)

    check = verify_folder(folder, public_key=keys.public)

    assert check.findings == ()
    assert check.is_signed
    assert check.key_fingerprint == name
    assert sorted(check.signed) == ["README.md", "model/weights"]


def test_the_standard_tool_verifies_it_too(folder, keys):
    sign_folder(folder, private_key=keys.private)
    command = [
        sys.executable, "-m", "model_signing", "verify", "key", str(folder),
        "--signature", str(folder / SIGNATURE_FILE), "--public_key", str(keys.public),
    ]  # fmt: skip

    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (folder / "README.md").write_text("Another model.")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_no_byte_of_the_signature_is_free(folder, keys):
    sign_folder(folder, private_key=keys.private)
    path = folder / SIGNATURE_FILE
    good = path.read_bytes()

    for position in {*range(0, len(good), 5), *range(len(good) - 220, len(good))}:
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        check = verify_folder(folder, public_key=keys.public)
        assert not check.is_signed, position
        assert {finding.path for finding in check.findings} == {SIGNATURE_FILE}, position


@pytest.mark.slow
@pytest.mark.parametrize("flip", [1, 32, 128])
def test_no_bit_of_the_signature_is_free(folder, keys, flip):
    sign_folder(folder, private_key=keys.private)
    path = folder / SIGNATURE_FILE
    good = path.read_bytes()
    for position in range(len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ flip]) + good[position + 1 :])
        assert not verify_folder(folder, public_key=keys.public).is_signed, position


def rewritten(data, change):
    content = json.loads(data)
    change(content)
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: data + b"\n",
        lambda data: data[: len(data) // 2],
        lambda data: json.dumps(json.loads(data), indent=1).encode(),
        lambda data: b"[" * 100_000,
        lambda data: b"null\n",
        lambda data: b"\xff\xfe" + data,
        lambda data: data + b"\0" * 1_000_000,
        lambda data: rewritten(data, lambda content: content.update(extra=1)),
        lambda data: rewritten(data, lambda content: content["verificationMaterial"]["publicKey"].update(hint=None)),
        lambda data: rewritten(data, lambda content: content["verificationMaterial"].pop("tlogEntries")),
        lambda data: rewritten(data, lambda content: content["dsseEnvelope"]["signatures"].append({})),
        lambda data: rewritten(data, lambda content: content["dsseEnvelope"]["signatures"].clear()),
        lambda data: rewritten(data, lambda content: content["dsseEnvelope"].update(payload="e30=")),
        lambda data: rewritten(data, lambda content: content["dsseEnvelope"].update(payload=7)),
        lambda data: rewritten(data, lambda content: content.update(mediaType="text/plain")),
    ],
)
def test_a_signature_in_any_other_form_is_refused(folder, keys, edit):
    sign_folder(folder, private_key=keys.private)
    path = folder / SIGNATURE_FILE
    path.write_bytes(edit(path.read_bytes()))

    check = verify_folder(folder, public_key=keys.public)

    assert not check.is_signed
    assert {finding.path for finding in check.findings} == {SIGNATURE_FILE}


def test_a_signature_by_another_key_names_both_keys(folder, keys, tmp_path):
    other = ensure_key(tmp_path / "other")
    theirs = sign_folder(folder, private_key=other.private)

    check = verify_folder(folder, public_key=keys.public)

    assert codes(check) == {(SIGNATURE_FILE, "other_key")}
    assert theirs[:16] in check.findings[0].message
    assert check.key_fingerprint[:16] in check.findings[0].message


def test_a_valid_signature_over_fewer_files_is_refused(folder, keys, tmp_path):
    """A signature of the right key that ignores a file must not pass for one over everything."""
    files = hashing.Config().use_file_serialization().set_ignored_paths(paths=["model.sig", "README.md"])
    signing.Config().use_elliptic_key_signer(private_key=keys.private).set_hashing_config(files).sign(
        folder, tmp_path / "sig"
    )
    content = json.loads((tmp_path / "sig").read_text())
    (folder / SIGNATURE_FILE).write_bytes(json.dumps(content, separators=(",", ":")).encode() + b"\n")

    check = verify_folder(folder, public_key=keys.public)

    assert codes(check) == {(SIGNATURE_FILE, "signature_broken")}
    assert "does not cover every file" in check.findings[0].message


def test_whatever_is_in_the_folder_besides_is_named(folder, keys, tmp_path):
    sign_folder(folder, private_key=keys.private)
    (folder / ".gitignore").write_text("*")
    (folder / "model" / ".hidden").write_bytes(b"")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    (folder / "na:me").write_text("x")
    (folder / os.fsdecode(b"\xff")).write_text("x")

    found = codes(verify_folder(folder, public_key=keys.public))

    assert found == {
        (".gitignore", "added"),
        ("model/.hidden", "added"),
        ("empty", "empty_folder"),
        ("link", "symlink"),
        ("loop", "symlink"),
        ("pipe", "special_file"),
        ("na:me", "bad_name"),
        ("\\xff", "bad_name"),
    }


@pytest.mark.slow
def test_folders_nested_beyond_measure_are_named_and_not_followed_forever(folder, keys):
    sign_folder(folder, private_key=keys.private)
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(2200):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)

    (finding,) = verify_folder(folder, public_key=keys.public).findings

    assert finding.code == "unreadable"
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_file_replaced_by_a_link_or_a_folder_is_named(folder, keys, tmp_path):
    sign_folder(folder, private_key=keys.private)
    (folder / "README.md").rename(tmp_path / "README.md")
    (folder / "README.md").symlink_to(tmp_path / "README.md")

    assert ("README.md", "symlink") in codes(verify_folder(folder, public_key=keys.public))
    (folder / "README.md").unlink()
    (folder / "README.md").mkdir()
    assert codes(verify_folder(folder, public_key=keys.public)) == {
        ("README.md", "empty_folder"),
        ("README.md", "missing"),
    }


def test_a_name_that_an_identical_file_moved_to_is_named(folder, keys):
    sign_folder(folder, private_key=keys.private)
    (folder / "model" / "weights").rename(folder / "weights")
    (folder / "model").rmdir()

    found = codes(verify_folder(folder, public_key=keys.public))

    assert found == {("model/weights", "missing"), ("weights", "added")}


@pytest.mark.parametrize("name", ["na:me", ".gitattributes", "café", "two\nlines"])
def test_a_folder_with_names_that_tools_disagree_on_is_not_signed(folder, keys, name):
    (folder / name).write_text("x")

    with pytest.raises(NotSignable):
        sign_folder(folder, private_key=keys.private)
    assert not (folder / SIGNATURE_FILE).exists()


def test_a_folder_with_a_link_or_nothing_is_not_signed(folder, keys, tmp_path):
    (folder / "link").symlink_to(Path("README.md"))
    with pytest.raises(NotSignable, match="link"):
        sign_folder(folder, private_key=keys.private)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NotSignable, match="empty"):
        sign_folder(tmp_path / "nothing", private_key=keys.private)
