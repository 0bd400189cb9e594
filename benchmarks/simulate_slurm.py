"""How well the simulator predicts a real Slurm cluster from its configuration.

`python -m lab --root DIR up --cluster alpha:8:4`, then as root `PYTHONPATH=. python benchmarks/simulate_slurm.py --lab DIR`. Sizes and run
times follow a published cluster, a minute of theirs taking a second here. The cluster runs the jobs; the simulator gets what sacct
exports (submission, run time, limit, size, user, account, class of service) and what scontrol and sacctmgr say, and not the starts.
"""

import argparse
import time
from pathlib import Path

from lab import Lab
from tests.slurm.predicted import plainest, plan, predict, read_export, run, site_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--load", type=float, default=1.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path())
    parser.add_argument("--again", action="store_true", help="Predict the kept export again, without running jobs.")
    given = parser.parse_args()
    cluster = Lab(given.lab).clusters["alpha"]
    spec = cluster.spec
    num_gpus = spec.num_nodes * spec.gpus_per_node
    jobs = plan(num_jobs=given.jobs, num_gpus=num_gpus, load=given.load, largest=num_gpus // 2, seed=given.seed)
    kept = given.keep / "sacct.txt"
    if not given.again:
        work = sum(job.run_s * job.gpus for job in jobs)
        print(f"{len(jobs)} jobs, {work} accelerator-seconds on {num_gpus}, submitted over {jobs[-1].at_s:.0f} s")
        began = time.monotonic()
        text = run(cluster, jobs, name=f"sim{time.time_ns() % 10**9}", within_s=420)
        print(f"all ended after {time.monotonic() - began:.0f} s")
    else:
        text = kept.read_text()
    trace, site = read_export(text, given.keep), site_of(cluster)
    for note in (*site.notes, *trace.notes):
        print(f"note: {note}")
    for name, known in (("as configured", site), ("first come, first served", plainest(site))):
        found, _ = predict(trace, known)
        print(f"{name}:")
        for field, value in found.model_dump().items():
            print(f"  {field.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
