"""A real server of the S3 protocol on this machine, in a process of its own."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from lab.daemons import wait_until

LIBRARY = Path(__file__).parent.parent / "var" / "s3-server"
"""Where `make test` puts it: it pins a library of ours to an older version, so it stays out of our environment."""
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


class S3(NamedTuple):
    """Where it answers."""

    endpoint: str
    bucket: str
    region: str = "us-east-1"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without buckets."""
    if not (LIBRARY / "moto").is_dir():
        pytest.skip("The S3 server is not installed: make var/s3-server/.ready")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    said = tmp_path_factory.mktemp("s3") / "s3.log"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            env=os.environ | KEYS | {"PYTHONPATH": str(LIBRARY)},
        )

    def answers() -> bool:
        assert server.poll() is None, said.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until("answer of the S3 server", answers, within_s=60, log=said)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An empty bucket of it, and its credentials in the environment."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bucket = f"inputs-{secrets.token_hex(4)}"
    httpx.put(f"{s3_endpoint}/{bucket}", trust_env=False).raise_for_status()
    return S3(s3_endpoint, bucket)
