"""Memory of finding near copies among very many documents: signatures in files, one tenth of them copies.

    python benchmarks/data_memory.py --millions 10

Prints the peak of the process that clusters them, and recall and precision against what was planted.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fucina.data.duplicates import candidates, join_near, same_bytes
from fucina.data.runs import banding
from fucina.data.signatures import Signatures, write_signatures

ROWS_PER_FILE = 20_000
COPIES = 10
"""Every so many documents, one is a near copy of the one before it."""


def base_of(rows: np.ndarray) -> np.ndarray:
    return np.where(rows % COPIES == COPIES - 1, rows - 1, rows)


class PlantedSets:
    """Sets of ten shingles; a copy has those of its base."""

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        return np.full(rows.size, 10, np.int64)

    def load(self, rows: np.ndarray) -> np.ndarray:
        return (base_of(rows.astype(np.uint64))[:, None] * np.uint64(16) + np.arange(10, dtype=np.uint64)).reshape(-1)


def write(folder: Path, num_rows: int) -> None:
    shape = banding(0.8)
    for first in range(0, num_rows, ROWS_PER_FILE):
        draw = np.random.default_rng(first)
        rows = np.arange(min(ROWS_PER_FILE, num_rows - first))
        bands = draw.integers(0, 1 << 63, (rows.size, shape.num_bands)).astype(np.uint64)
        copies = np.flatnonzero(base_of(rows) != rows)
        shared = draw.random((copies.size, shape.num_bands)) < 0.33
        bands[copies] = np.where(shared, bands[copies - 1], bands[copies])
        write_signatures(folder / f"{first:09d}.bin", rows=rows, digests=draw.bytes(16 * rows.size), bands=bands)


def cluster(folder: Path, num_rows: int) -> None:
    shape = banding(0.8)
    files = [Signatures(path=path, first_row=int(path.stem)) for path in sorted(folder.glob("*.bin"))]
    start = time.process_time()
    clusters = same_bytes(files, num_rows=num_rows, checkpoint=lambda: None)
    marked = candidates(files, clusters, num_bands=shape.num_bands, checkpoint=lambda: None)
    join_near(
        files, clusters, num_bands=shape.num_bands, sets=PlantedSets(), threshold=0.8, checkpoint=lambda: None
    )  # fmt: skip
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = np.arange(num_rows, dtype=np.int32)
    copies, joined = base_of(rows) != rows, clusters.first != rows
    right = int((joined & (clusters.first == base_of(rows))).sum())
    print(f"{num_rows:,} documents, {int(marked.sum()):,} candidates, {seconds:.0f} CPU-s, peak {peak:.2f} GB")
    print(f"recall {right / copies.sum():.4f}, precision {right / joined.sum():.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=10)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    count = int(given.millions * 1e6)
    if given.folder:
        cluster(given.folder, count)
    else:
        with tempfile.TemporaryDirectory() as made:
            write(Path(made), count)
            # In a process of its own, so that making the set does not count.
            subprocess.run([sys.executable, __file__, "--millions", str(given.millions), "--folder", made], check=True)
