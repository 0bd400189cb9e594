"""How fast the simulator is, in jobs per second of processor time.

    python benchmarks/simulate_speed.py [TRACE.swf.gz --procs 100] [--jobs 1000000] [--accasim PYTHON]

Replays a trace (without one, generated jobs on 100 processors) with the compiled kernels and with the plain Python lists that
stand in for them, and with accasim where the Python of an environment that has it is given; then simulates many jobs on
100,000 accelerators with placement and fairshare, with the memory that this takes; then asks the shipped what-if question.
"""

import argparse
import gzip
import json
import subprocess
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from fucina.planning.simulate import state
from fucina.planning.simulate.cluster import Pool, Scheduling, Weights
from fucina.planning.simulate.replay import Policy, start_digest, start_times
from fucina.planning.simulate.run import simulate
from fucina.planning.simulate.scenario import shipped
from fucina.planning.simulate.swf import read_swf
from fucina.planning.simulate.trace import Trace, fitting
from fucina.planning.simulate.whatif import size_for_wait
from fucina.planning.simulate.workload import JobClass, generate

BIG = (Pool(id="p", num_nodes=12_500, gpus_per_node=8, nodes_per_island=32),)
MIX = (
    JobClass(name="research", load=0.5, profile="acme-seren", num_accounts=100),
    JobClass(name="sme", load=0.3, profile="helios", max_gpus=64, num_accounts=200),
    JobClass(name="large", load=0.2, profile="acme-kalos", min_gpus=64, num_accounts=20),
)
FAIR = Scheduling(weights=Weights(age=1000, fairshare=10_000, size=100))
ACCASIM = """
import sys, time, logging, collections, collections.abc
for name in ("Mapping", "MutableMapping", "Iterable", "Sequence"):  # it was written for Python before 3.10
    setattr(collections, name, getattr(collections.abc, name))
from accasim.base.simulator_class import Simulator
from accasim.base.scheduler_class import FirstInFirstOut
from accasim.base.allocator_class import FirstFit
logging.disable(logging.CRITICAL)
began = time.process_time()
Simulator(sys.argv[1], sys.argv[2], FirstInFirstOut(FirstFit()), scheduling_output=False, RESULTS_FOLDER_NAME=sys.argv[3]).start_simulation()
print("CPU", time.process_time() - began)
"""


def generated() -> Trace:
    """Jobs for 100 processors, where no trace is given."""
    table = generate(
        (JobClass(name="all", profile="helios", load=0.85, max_gpus=64),),
        pools=(Pool(id="p", num_nodes=100, gpus_per_node=1),), qos=("normal",), days=1, seed=1, num_jobs=30_000,
    )  # fmt: skip
    columns = (table.submit_s, table.run_s, table.estimate_s, table.gpus)
    submit, run, estimate, size = (np.asarray(column, np.int64) for column in columns)
    return Trace(submit_s=submit, run_s=run, estimate_s=estimate, size=size, line=np.arange(len(submit)))


def best_of(action, times):
    """The least processor time of several runs, s."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        action()
        spent.append(time.process_time() - began)
    return min(spent)


def replays(trace: Trace, procs: int) -> dict[str, float]:
    """Jobs a second of each policy, compiled beside plain."""
    rates = {}
    for policy in Policy:
        start = start_times(trace, machine_size=procs, policy=policy)
        compiled = len(trace) / best_of(lambda p=policy: start_times(trace, machine_size=procs, policy=p), 7)
        plain = len(trace) / best_of(
            lambda p=policy: start_times(trace, machine_size=procs, policy=p, compiled=False), 1
        )
        rates[policy] = compiled
        print(
            f"{policy:<13}{compiled:14,.0f} jobs/s   plain {plain:10,.0f}   ratio {compiled / plain:8.1f}   {start_digest(start)}"
        )
    return rates


def beside_accasim(python: Path, path: Path, procs: int, ours: float, num_jobs: int) -> None:
    """First come first served by accasim over the first jobs of the trace. (Its EASY divides by zero on this trace.)"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            kept = [line for line in lines if line.strip()]
        header = [line for line in kept if line.startswith(";")]
        (folder / "jobs.swf").write_text("".join(header + kept[len(header) : len(header) + num_jobs]))
        (folder / "system.json").write_text(
            json.dumps({"groups": {"g": {"core": 1, "mem": 1000000}}, "resources": {"g": procs}})
        )
        (folder / "run.py").write_text(ACCASIM)
        (folder / "results").mkdir()
        done = subprocess.run(
            [str(python), "run.py", "jobs.swf", "system.json", "results"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
    spent = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("CPU ")]
    if not spent:
        print(f"accasim did not run: {(done.stderr.strip().splitlines() or ['no word'])[-1][:160]}")
        return
    print(
        f"accasim, fcfs: {num_jobs / spent[0]:,.0f} jobs/s of {num_jobs:,}; ours is {ours * spent[0] / num_jobs:,.0f} times as fast"
    )


def many_jobs(num_jobs: int) -> None:
    """Many jobs on 100,000 accelerators with placement, islands and fairshare."""
    warm = generate(MIX, pools=BIG, qos=("normal",), days=1, seed=1, num_jobs=1000)
    simulate(warm, pools=BIG, scheduling=FAIR)
    table = generate(MIX, pools=BIG, qos=("normal",), days=1, seed=1, num_jobs=num_jobs)
    columns = sum(
        getattr(table, name).nbytes
        for name in ("submit_s", "run_s", "estimate_s", "gpus", "account", "qos", "pool", "group", "data_gb")
    )
    began = time.process_time()
    course = simulate(table, pools=BIG, scheduling=FAIR)
    spent = time.process_time() - began
    assert (course.end_s >= 0).all()
    tracemalloc.start()
    simulate(table, pools=BIG, scheduling=FAIR)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    busy = course.steady[0, state.BUSY] / (100_000 * course.steady[0, state.LAST])
    print(
        f"{len(table):,} jobs on 100,000 accelerators: {len(table) / spent:,.0f} jobs/s, {columns / len(table):.0f} bytes a job given, "
        f"{peak / len(table):.0f} at most while it runs, utilisation {busy:.1%}"
    )


def what_if() -> None:
    """The shipped question, twice: the first loads the compiled code."""
    for _ in range(2):
        began = time.process_time()
        answer = size_for_wait(shipped("fast-lane"), job_class="fast-lane", p95_wait_s=600)
        print(
            f"what-if: {answer.num_gpus:,} accelerators after {len(answer.trials)} sizes, {time.process_time() - began:.1f} s"
        )


def main() -> None:
    """Measure everything once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path, nargs="?")
    parser.add_argument("--procs", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--accasim", type=Path, help="python of an environment with accasim")
    parser.add_argument("--accasim-jobs", type=int, default=5000)
    arguments = parser.parse_args()
    trace = fitting(read_swf(arguments.trace), machine_size=arguments.procs) if arguments.trace else generated()
    rates = replays(trace, arguments.procs)
    if arguments.accasim and arguments.trace:
        beside_accasim(arguments.accasim, arguments.trace, arguments.procs, rates[Policy.FCFS], arguments.accasim_jobs)
    many_jobs(arguments.jobs)
    what_if()


if __name__ == "__main__":
    main()
