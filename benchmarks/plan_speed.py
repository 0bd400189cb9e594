"""Speed of the layout search: `python benchmarks/plan_speed.py`. A 400B model on 100,000 chips, in CPU-seconds of one core.

Prints the warm search, layouts a second, a new process from start to answer with the compiled functions kept on disk, and
the plain path. Calculon's paper (Isaev et al. 2023) reports searches of this kind in minutes to hours; it was not run here.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

from fucina.planning.kernel import Work
from fucina.planning.machines import find_accelerator, usual_system
from fucina.planning.models import MODELS
from fucina.planning.rates import Precision, Stack, fitted, rates
from fucina.planning.search import Engine, search, shape_of, space_for

SEQUENCE, BATCH, CHIPS = 8192, 8192, 100_000


def once(engine: Engine) -> tuple[int, float]:
    """Layouts evaluated and CPU-seconds of one search."""
    model, chip = MODELS["llama-3-405b"], find_accelerator("H100-80GB")
    reached = rates(chip, usual_system(chip), precision=Precision.BF16, stack=Stack.FUSED, constants=fitted())
    work = Work(float(SEQUENCE), float(BATCH), model.attended(SEQUENCE), 1.0, 0.0, 1.0)
    shape = shape_of(model, sequence=SEQUENCE)
    space = space_for(model, rates=reached, devices=CHIPS, batch=BATCH, sequence=SEQUENCE, recompute=[0, 1, 2, 3])
    started = time.process_time()
    found = search(shape, work, reached, space, devices=CHIPS, engine=engine)
    return found.evaluated, time.process_time() - started


def fresh() -> tuple[float, float]:
    """Wall and CPU seconds of a new process that searches once, compiled."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "--once"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="Search once and say nothing.")
    if parser.parse_args().once:
        once("compiled")
        return
    once("compiled")
    runs = sorted((once("compiled") for _ in range(50)), key=lambda run: run[1])
    layouts, seconds = runs[len(runs) // 2]
    print(f"warm: {layouts:,} layouts in {seconds * 1e3:.2f} ms, {layouts / seconds / 1e6:.1f} million a second")
    tries = sorted(fresh() for _ in range(5))
    print(f"new process: {tries[0][0]:.2f} s at best of 5, {min(cpu for _, cpu in tries):.2f} CPU-seconds")
    layouts, plain = once("plain")
    print(
        f"plain path: {plain:.3f} s, {layouts / plain / 1e3:.0f} thousand a second; compiled is {plain / seconds:.0f} times faster"
    )


if __name__ == "__main__":
    main()
