"""`fucina network` where nobody has named a hub: the shipped facts, and said so."""

import json
import subprocess
import sys

import pytest


def network(home, *words):
    environ = {"FUCINA_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    argv = [sys.executable, "-m", "fucina.cli", "network", *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["factories", "antennas", "systems", "services", "programmes"])
def test_without_a_hub_the_shipped_facts_are_shown(tmp_path, kind):
    done = network(tmp_path, kind, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "No hub is known here" in done.stderr


def test_one_factory_with_its_sources(tmp_path):
    done = network(tmp_path, "factory", "it4lia")
    assert done.returncode == 0, done.stderr
    assert "Bologna" in done.stdout
    missing = network(tmp_path, "factory", "atlantis")
    assert missing.returncode == 4
    assert "Traceback" not in missing.stderr
