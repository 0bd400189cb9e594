"""How fast the evaluation is: items a second of each part, for a model folder and the outputs of `prepare`.

    python benchmarks/evaluate_speed.py train/out/model prepare/out --threads 1

Prints one line for each part and the whole with loading; nothing is kept.
"""

import argparse
import tempfile
import time
from pathlib import Path

from fucina.compute.record import Progress
from fucina.models.threads import keep_memory, set_threads
from fucina.trust.evaluate import PARTS, open_subject
from fucina.trust.evaluation_part import Ticker
from fucina.trust.recipe import EvaluateRecipe

UNITS = {
    "num_held_out_documents": "documents",
    "num_held_out_tokens": "tokens",
    "num_memorisation_probes": "probes",
    "num_leak_probes": "probes",
    "num_canaries": "canaries",
    "num_language_probes": "texts",
}


def main() -> None:
    """Measure every part once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with config.json, model.safetensors and the tokenizer")
    parser.add_argument("data", type=Path, help="outputs of the prepare stage")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    recipe = EvaluateRecipe(num_threads=arguments.threads)
    keep_memory()
    set_threads(recipe.num_threads)
    print(f"{'imports':<14}{time.process_time():8.2f} s of CPU")
    all_began_s = began_s = time.perf_counter()
    subject = open_subject(recipe, model=arguments.model, data=arguments.data)
    print(f"{'loading':<14}{time.perf_counter() - began_s:8.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(Path(folder) / "progress.ndjson", stage="evaluate")
        for part in PARTS:
            began_s = time.perf_counter()
            counts = part.measure(subject, Ticker(progress=progress, part=part.name, begin=0, end=100)).counts
            wall_s = time.perf_counter() - began_s
            rates = [f"{counts[name] / wall_s:10.1f} {unit}/s" for name, unit in UNITS.items() if name in counts]
            print(f"{part.name:<14}{wall_s:8.2f} s{''.join(rates)}")
    wall_s = time.perf_counter() - all_began_s
    print(
        f"{'all':<14}{wall_s:8.2f} s after imports on {arguments.threads} threads, {time.process_time():.2f} s of CPU in all"
    )


if __name__ == "__main__":
    main()
