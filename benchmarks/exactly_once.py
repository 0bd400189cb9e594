"""Many real jobs over both clusters while every part is killed at random, then hub, Slurm and ledger compared.

As root, with a PostgreSQL that it starts itself unless `--sqlite`:
`python -m lab --root DIR up`, then `PYTHONPATH=. python benchmarks/exactly_once.py --lab DIR --jobs 2000`.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

for _name in [name for name in os.environ if name.startswith("FUCINA_")]:
    del os.environ[_name]

from lab import Lab  # noqa: E402 - after the environment
from tests.agent.slurm_world import new_folder  # noqa: E402
from tests.slurm.chaos import Chaos  # noqa: E402
from tests.with_postgres import postgres  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--no-line", action="store_true", help="No whole run of the line among the jobs.")
    parser.add_argument("--patience", type=float, default=1500, help="Seconds to wait for quiet afterwards.")
    given = parser.parse_args()
    began = time.monotonic()
    folder = new_folder()
    with ExitStack() as stack:
        url = "" if given.sqlite else stack.enter_context(postgres())
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chaos = Chaos(
            Lab(given.lab), folder, num_jobs=given.jobs, seed=given.seed, postgres=url, line=not given.no_line
        )
        stack.callback(chaos.close)
        chaos.open(work / "apply")
        opened = time.monotonic()
        chaos.run(work)
        ran = time.monotonic()
        audit = chaos.settle(seconds=given.patience)
        print(chaos.report(audit))
        print(f"opening {opened - began:.0f} s, jobs {ran - opened:.0f} s, quiet {time.monotonic() - ran:.0f} s")
    if audit.faults:
        print(f"logs are kept below {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
