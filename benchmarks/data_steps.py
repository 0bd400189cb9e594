"""Where the processor time of `fucina data prepare` goes, step by step, on one core.

    python benchmarks/data_steps.py --megabytes 120

Makes the messy set of data_messy.py, trains the tokenizer in a first run, and reads the clock of the process at the
first report of each step of a second one. Prints megabytes per processor second of each step, of reading, filters and
deduplication together, and of the whole chain with and without start-up.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import data_messy

from fucina.compute.record import Progress
from fucina.data.executors import LocalExecutor
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import resolve

FILTERS = ("reading", "judging language and quality", "finding duplicates")


class Clock(Progress):
    """Notes the processor time at which each step was last heard of."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, stage="prepare")
        self.ends: dict[str, float] = {}

    def report(
        self, *, done: int, total: int, unit: str, message: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        self.ends[message.split(": ", 1)[1]] = time.process_time()


def run(folder: Path, tokenizer: str, out: Path) -> Clock:
    sources = resolve([("*.jsonl", "public-domain", "")], base=folder)
    recipe = PrepareRecipe(sources=sources, tokenizer=tokenizer, vocabulary_size=8192, num_canaries=0)
    scratch = out / ".scratch"
    scratch.mkdir(parents=True)
    clock = Clock(scratch / "progress")
    prepare(recipe, workdir=out, out=out, scratch=scratch, progress=clock, executor=LocalExecutor(1))
    clock.ends["writing"] = time.process_time()
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=120)
    parser.add_argument("--set", type=Path, help="A set made before.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    loaded_s = time.process_time()
    work = Path(tempfile.mkdtemp(prefix="fucina-steps-"))
    try:
        folder = given.set or work / "set"
        if not given.set:
            data_messy.make(folder, megabytes=given.megabytes, seed=1)
        first = run(folder, "", work / "first")
        del first
        tokenizer = str(work / "first" / "tokenizer" / "tokenizer.json")
        began_s = time.process_time()
        clock = run(folder, tokenizer, work / "out")
    finally:
        shutil.rmtree(work)
    megabytes = sum(path.stat().st_size for path in folder.glob("*.jsonl")) / 1e6
    seconds, last_s = {}, began_s
    for step, end_s in clock.ends.items():
        seconds[step], last_s = end_s - last_s, end_s
    seconds["filters and duplicates together"] = sum(seconds[step] for step in FILTERS)
    seconds["whole chain"] = last_s - began_s
    seconds["whole chain and imports"] = last_s - began_s + loaded_s
    for step, spent_s in seconds.items():
        print(f"{step:34} {spent_s:7.2f} CPU-s {megabytes / spent_s:8.1f} MB/CPU-s")
    print(f"{megabytes:.1f} MB, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    if given.json:
        given.json.write_text(json.dumps({"megabytes": megabytes, **seconds}))


if __name__ == "__main__":
    main()
