"""Wall time of a line run beside the sum of its five stages run by hand, in pairs: `python benchmarks/line_overhead.py`.

Prints both medians and the ratio. The bar is 1.05. Project: the example's trial, so that overhead is seen at its worst.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAGES = ("prepare", "train", "evaluate", "document", "release")


def fucina(*arguments: str, home: Path) -> str:
    """Run a command of ours; ends the benchmark when it fails."""
    environment = os.environ | {"FUCINA_HOME": str(home), "FUCINA_HUB_PORT": "8653"}
    done = subprocess.run(
        [sys.executable, "-m", "fucina.cli", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"fucina {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def by_hand(project: Path, home: Path, folder: Path) -> float:
    """Seconds of the five stages, one after another, each timed from outside."""
    shutil.rmtree(folder, ignore_errors=True)
    fucina("workdirs", str(project), str(folder), home=home)
    # A stage run by hand finds the factory's key in the home of its caller.
    total = 0.0
    for stage in STAGES:
        began = time.perf_counter()
        fucina("stage", stage, str(folder / stage), home=home)
        total += time.perf_counter() - began
    return total


def as_line(project: Path, home: Path) -> float:
    """Seconds from the run's creation to its registered release, by the hub's clock."""
    run = json.loads(fucina("run", str(project), "--format", "json", home=home))["run"]
    created, ended = (
        time.mktime(time.strptime(run[k][:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + run[k][19:].rstrip("Z"))
        for k in ("created_at", "ended_at")
    )
    return ended - created


def main() -> None:
    """Pairs of both, in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", type=Path, default=ROOT / "examples" / "penna-nuova" / "trial.yaml")
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        fucina("up", "--detach", home=home)
        try:
            fucina("apply", str(given.project), "--hours", "50", home=home)
            pairs = []
            for number in range(given.pairs):
                hand_s = by_hand(given.project, home, Path(folder) / "by-hand")
                line_s = as_line(given.project, home)
                pairs.append((line_s, hand_s))
                print(f"pair {number + 1}: line {line_s:.2f} s, by hand {hand_s:.2f} s, ratio {line_s / hand_s:.3f}")
        finally:
            fucina("down", home=home)
    ratios = [line_s / hand_s for line_s, hand_s in pairs]
    print(
        f"median: line {statistics.median(p[0] for p in pairs):.2f} s, by hand {statistics.median(p[1] for p in pairs):.2f} s, ratio {statistics.median(ratios):.3f}"
    )


if __name__ == "__main__":
    main()
