"""datatrove's equivalent of `fucina data prepare`: run by data_speed.py with the Python of an environment that has it.

    PYTHON benchmarks/data_peer.py FOLDER WORK TOKENIZER.json

Gopher repetition and quality, C4, FineWeb, PII, four stages of MinHash, tokenizer; one task, no other process.
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import JsonlWriter

NUM_BUCKETS = 14
"""datatrove's default; its second stage wants a task for each."""


def run(pipeline: list, name: str, work: Path, *, tasks: int = 1) -> None:
    LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=str(work / "logs" / name)).run()


def main(folder: Path, work: Path, tokenizer: str) -> None:
    for path in sorted(folder.glob("*.jsonl")):
        code = path.stem
        filters = [
            GopherRepetitionFilter(language=code),
            GopherQualityFilter(language=code, min_stop_words=None),
            C4QualityFilter(language=code, filter_no_terminal_punct=False),
            FineWebQualityFilter(language=code),
            PIIFormatter(),
        ]
        reader = JsonlReader(str(folder), glob_pattern=path.name)
        writer = JsonlWriter(str(work / "filtered"), output_filename=f"{code}.jsonl", compression=None)
        run([reader, *filters, writer], f"filters-{code}", work)
    read = JsonlReader(str(work / "filtered"))
    signatures, buckets, remove = str(work / "signatures"), str(work / "buckets"), str(work / "remove")
    run([read, MinhashDedupSignature(output_folder=signatures)], "signatures", work)
    run([MinhashDedupBuckets(input_folder=signatures, output_folder=buckets)], "buckets", work, tasks=NUM_BUCKETS)
    run([MinhashDedupCluster(input_folder=buckets, output_folder=remove)], "cluster", work)
    kept = JsonlWriter(str(work / "kept"), output_filename="kept.jsonl", compression=None)
    run([read, MinhashDedupFilter(input_folder=remove), kept], "remove", work)
    tokens = DocumentTokenizer(str(work / "tokens"), tokenizer_name_or_path=tokenizer, eos_token="<|end|>")  # noqa: S106
    run([JsonlReader(str(work / "kept")), tokens], "tokens", work)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
