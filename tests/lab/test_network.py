"""A lab of its own whose nodes have network cables: started twice at once, cut, and ended without a trace."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab import Lab
from lab.daemons import wait_until
from lab.machine import why_not
from tests.lab.test_lab import final, state, submit

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
REPOSITORY = Path(__file__).parent.parent.parent


def traces(lab):
    """Processes whose command line or environment names the lab's folders."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(lab.root).encode() in text or str(lab.layout.database).encode() in text:
            found.append(text)
    return found


@pytest.fixture
def wired():
    """A lab of one site with two nodes, started by two commands at once."""
    root = Path(tempfile.mkdtemp(prefix="fucina-wired-"))
    root.chmod(0o755)
    lab = Lab(root)
    if reason := why_not(lab.layout):
        root.rmdir()
        pytest.skip(" ".join(reason).strip())
    words = [sys.executable, "-m", "lab", "--root", str(root), "up", "--node-mode", "netns", "--cluster", "gamma:2:2"]
    try:
        both = [
            subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in both:
            out, err = process.communicate(timeout=180)
            assert process.returncode == 0, out + err
        yield Lab(root)
    finally:
        Lab(root).down(wipe=True)
        (root / "lock").unlink(missing_ok=True)
        root.rmdir()


def test_a_node_cut_off_runs_on_and_down_ends_everything(wired, tmp_path):
    gamma = wired.clusters["gamma"]
    assert len([text for text in traces(wired) if b"mariadbd" in text.split(b"\0")[0]]) == 1
    beat = Path("/home/alice") / f"beat-{tmp_path.parent.name}"
    script = f"while sleep 0.2; do echo . >> {beat}; done"
    job = submit(gamma, "--nodelist=gamma-2", "--no-requeue", script=script)
    wait_until("first beat", beat.exists, within_s=30)

    gamma.cut("gamma-2")

    assert final(gamma, job, "State") == "NODE_FAIL"
    size = beat.stat().st_size
    wait_until("beat of the node that was cut off", lambda: beat.stat().st_size > size, within_s=10)
    gamma.heal("gamma-2")
    wait_until("node's return", lambda: gamma.node_states().get("gamma-2") == "idle", within_s=60)
    submit(gamma, script="sleep 600")
    waiting = submit(gamma, "--hold")
    assert state(gamma, waiting) == "PENDING"

    assert wired.down() >= 8

    assert traces(wired) == []
    assert not [name for name in interfaces() if name.startswith(f"fl{wired.layout.tag}")]
    wired.up()
    assert state(gamma, waiting) == "PENDING"
    beat.unlink()


def interfaces():
    """Names of the machine's network devices."""
    return [path.name for path in Path("/sys/class/net").iterdir()]
