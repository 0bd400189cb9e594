"""`fucina data prepare` beside datatrove on one messy set, in processor seconds of their processes.

    python benchmarks/data_speed.py --megabytes 12 --peer PYTHON

PYTHON is that of an environment with `datatrove[processing,io]` and spacy. Prints the funnel, recall and precision
against what was planted, megabytes per processor second of both, start-up included, and the ratio. With --ray the same
recipe also runs on a Ray cluster of two nodes on this machine, and the digests of all outputs are compared.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import data_messy
import pyarrow.parquet as pq

HERE = Path(__file__).parent
RECIPE = "sources: [{path: 'set/*.jsonl', licence: public-domain}]\ntokenizer: tokenizer.json\nnum_canaries: 0\n"


def cpu_seconds(command: list[str], *, cwd: Path) -> float:
    """Processor time of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode()[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def score(out: Path, truth: dict) -> dict[str, float]:
    """Recall and precision of near copies, junk and personal data."""
    decisions = {row["id"]: row for row in pq.read_table(out / "decisions.parquet").to_pylist()}
    alike = [(a, b) for a, b, similarity in truth["pairs"] if similarity >= 0.8]
    related = {name for a, b, similarity in truth["pairs"] if similarity >= 0.7 for name in (a, b)}
    dropped = [name for name, row in decisions.items() if row["step"] == "duplicates"]
    junk = set(truth["junk"])
    kept = {name for name, row in decisions.items() if row["kept"]}
    planted = {(name, start, end, kind) for name, start, end, kind in truth["spans"] if name in kept}
    found = pq.read_table(out / "spans.parquet").to_pylist()
    copies = {b for _, b, _ in truth["pairs"]}
    spans = {(row["id"], row["start"], row["end"], row["kind"]) for row in found if row["id"] not in copies}
    original = {span for span in planted if span[0] not in copies}
    clean = set(decisions) - junk - {name for pair in truth["pairs"] for name in pair[:2]}
    return {
        "near copies: recall": sum(not (a in kept and b in kept) for a, b in alike) / len(alike),
        "near copies: precision": sum(name in related for name in dropped) / len(dropped),
        "junk dropped": len(junk - kept) / len(junk),
        "clean kept": len(clean & kept) / len(clean),
        "personal data: recall": len(original & spans) / len(original),
        "personal data: precision": len(original & spans) / len(spans),
    }


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def same_on_two_nodes(fucina: list[str], work: Path) -> bool:
    """Whether two raylets give the bytes of threads."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cpu_seconds([*fucina, "recipe.yaml", "--out", "ray", "--ray", cluster.address], cwd=work)
    finally:
        cluster.shutdown()
    return digests(work / "ray") == digests(work / "out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--peer", help="Python with datatrove; left out, only ours is run.")
    parser.add_argument("--ray", action="store_true", help="Also compare with two nodes of a Ray cluster.")
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="fucina-data-"))
    data_messy.make(work / "set", megabytes=given.megabytes, seed=1)
    megabytes = sum(path.stat().st_size for path in (work / "set").glob("*.jsonl")) / 1e6
    fucina = [sys.executable, "-m", "fucina.cli", "data", "prepare"]
    (work / "recipe.yaml").write_text(RECIPE.replace("tokenizer: tokenizer.json\n", "vocabulary_size: 8192\n"))
    # The first run trains the tokenizer that both get, and compiles what a fresh checkout has not compiled yet.
    first = cpu_seconds([*fucina, "recipe.yaml", "--out", "first", "--threads", "1"], cwd=work)
    (work / "tokenizer.json").write_bytes((work / "first" / "tokenizer" / "tokenizer.json").read_bytes())
    (work / "recipe.yaml").write_text(RECIPE)
    ours = cpu_seconds([*fucina, "recipe.yaml", "--out", "out", "--threads", "1"], cwd=work)
    print(subprocess.check_output([*fucina[:-1], "inspect", "out"], cwd=work, text=True))
    for name, value in score(work / "out", json.loads((work / "set" / "truth.json").read_text())).items():
        print(f"{name:28} {value:.4f}")
    print(f"{megabytes:.1f} MB; with training a tokenizer {first:.1f} CPU-s")
    print(f"fucina     {ours:8.1f} CPU-s {megabytes / ours:8.3f} MB/CPU-s")
    if given.ray:
        same = same_on_two_nodes(fucina, work)
        print(f"two Ray nodes: {len(digests(work / 'out'))} files, {'same digests' if same else 'DIFFERENT DIGESTS'}")
    if given.peer:
        peer = [given.peer, str(HERE / "data_peer.py"), "set", "peer", "tokenizer.json"]
        theirs = cpu_seconds(peer, cwd=work)
        print(f"datatrove  {theirs:8.1f} CPU-s {megabytes / theirs:8.3f} MB/CPU-s")
        print(f"ratio      {theirs / ours:8.1f}")


if __name__ == "__main__":
    main()
