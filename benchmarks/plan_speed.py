"""Speed of the layout search: `python benchmarks/plan_speed.py`. A 400B model on 100,000 chips, in CPU-seconds of one core.

Prints the warm search, layouts a second, a new process from start to answer with the compiled functions kept on disk, the
plain path, and ratios to Calculon's published figures. With `--calculon FOLDER`, a checkout of it (needs psutil), its own
search for one of its examples is run on one process as well and ours for the same question beside it.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

from fucina.planning.kernel import Work
from fucina.planning.layouts import shape_of
from fucina.planning.machines import find_accelerator, usual_system
from fucina.planning.models import MODELS, Model
from fucina.planning.rates import Precision, Stack, fitted, rates
from fucina.planning.search import Engine, search, space_for

SEQUENCE, BATCH, CHIPS = 8192, 8192, 100_000
CALCULON_ONE_S, CALCULON_SEARCH_S = 1.0, 60.0
"""One calculation, and the search for the best execution of Turing-530B on 5,128 A100, as Calculon's README says them
(Isaev et al. 2023, doi 10.1145/3581784.3607102)."""
TURING, TURING_CHIPS, TURING_BATCH = "models/turing-530B.json", 5128, 2520
"""Model, devices and sequences of that example."""


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


def turing(folder: Path | None) -> tuple[int, float]:
    """Layouts and CPU-seconds of our search for Calculon's example; the model comes from its file where there is one."""
    found = {"hidden": 20480, "attn_heads": 128, "num_blocks": 105, "seq_size": 2048, "feedforward": 81920}
    if folder is not None:
        found = json.loads((folder / TURING).read_text(encoding="utf-8"))
    model = Model(
        name="turing-530b", num_layers=found["num_blocks"], d_model=found["hidden"], num_heads=found["attn_heads"],
        num_kv_heads=found["attn_heads"], d_ff=found["feedforward"], gated=False, vocabulary_size=51200, tied=True,
    )  # fmt: skip
    chip, sequence = find_accelerator("A100-80GB"), found["seq_size"]
    reached = rates(chip, usual_system(chip), precision=Precision.FP16, stack=Stack.FUSED, constants=fitted())
    work = Work(float(sequence), float(TURING_BATCH), model.attended(sequence), 1.0, 0.0, 1.0)
    space = space_for(
        model, rates=reached, devices=TURING_CHIPS, batch=TURING_BATCH, sequence=sequence, recompute=[0, 1, 2, 3]
    )
    started = time.process_time()
    answer = search(shape_of(model, sequence=sequence), work, reached, space, devices=TURING_CHIPS, engine="compiled")
    return answer.evaluated, time.process_time() - started


def calculon(folder: Path) -> tuple[int, float]:
    """Executions and CPU-seconds of Calculon's own search, one process."""
    out = folder / "answer.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            sys.executable, "bin/calculon", "llm-optimal-execution", TURING, str(TURING_CHIPS), str(TURING_BATCH),
            "float16", "systems/a100_80g.json", str(out), "-m", "-c", "1",
        ],
        cwd=folder, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = re.search(r"Total executions: (\d+)", done.stdout + done.stderr)
    if said is None:
        raise SystemExit("Calculon did not say how many executions it tried.")
    return int(said.group(1)), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def beside_calculon(folder: Path | None) -> None:
    """Print ratios to what Calculon publishes, and to itself where a checkout is given."""
    turing(folder)
    layouts, seconds = sorted((turing(folder) for _ in range(20)), key=lambda run: run[1])[10]
    print(
        f"Calculon's README: about {CALCULON_ONE_S:.0f} s for one calculation, {CALCULON_SEARCH_S:.0f} s for the search "
        f"of Turing-530B on {TURING_CHIPS:,} A100; ours {layouts:,} layouts in {seconds * 1e3:.2f} ms, "
        f"{CALCULON_SEARCH_S / seconds:,.0f} times faster"
    )
    if folder is not None:
        tried, theirs = calculon(folder)
        print(
            f"Calculon run here on one process: {tried:,} executions in {theirs:.1f} CPU-seconds, {tried / theirs:,.0f} a "
            f"second; ours {layouts / seconds / (tried / theirs):,.0f} times as many a second"
        )


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
    parser.add_argument("--calculon", type=Path, help="A checkout of Calculon, to be run beside.")
    given = parser.parse_args()
    if given.once:
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
    beside_calculon(given.calculon)


if __name__ == "__main__":
    main()
