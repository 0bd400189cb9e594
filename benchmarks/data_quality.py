"""How well the data room finds personal data and near copies, tells languages, prose and junk, and reads HTML.

    python benchmarks/data_quality.py --corpora FOLDER

FOLDER holds labelled files as its README describes them: `pii.jsonl.gz`, `lid.tsv.gz`, `pages.warc.gz` with `pages_gold.jsonl.gz`,
`clean.jsonl.gz`, `junk.jsonl.gz`, `dedup.jsonl.gz` with `dedup_pairs.csv.gz`, and `quality_oracle.jsonl.gz`, what datatrove's filters say.
"""

import argparse
import csv
import gzip
import json
import re
import resource
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from fucina.compute.record import Progress
from fucina.data.executors import LocalExecutor
from fucina.data.judge import PEER_FILTERS
from fucina.data.language import identify, identify_batch
from fucina.data.personal import find, redact_batch
from fucina.data.pipeline import prepare
from fucina.data.readers import read_records
from fucina.data.recipe import HtmlProfile, PersonalData, PrepareRecipe
from fucina.data.shards import join_texts
from fucina.data.sources import resolve

ALL = frozenset(PersonalData)
WORD = re.compile(r"\w+")

KINDS = {
    "EMAIL": "email",
    "PHONE": "phone",
    "IBAN": "iban",
    "CF": "codice-fiscale",
    "IP": "ip-address",
    "CARD": "credit-card",
}

Row = tuple[str, str, float, float]
"""What, figure, value, bar."""


def documents(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def score_personal_data(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """A gold span is found when a finding of its kind covers at least 80 % of either; any other finding is false."""
    hits, gold, false = Counter(), Counter(), Counter()
    for document in documents(corpora / "pii.jsonl.gz"):
        text = document["text"]
        found = defaultdict(list)
        for finding in find(text):
            start, end = characters(text, finding.start, finding.end)
            found[finding.kind.value].append((start, end))
        for span in document["spans"]:
            kind = KINDS[span["type"]]
            gold[kind] += 1
            match = next((f for f in found[kind] if same(f, (span["start"], span["end"]))), None)
            if match:
                hits[kind] += 1
                found[kind].remove(match)
            elif mistakes:
                print("missed", kind, repr(text[max(0, span["start"] - 40) : span["end"] + 10]))
        for kind, rest in found.items():
            false[kind] += len(rest)
            for start, end in rest if mistakes else ():
                print("false", kind, repr(text[max(0, start - 40) : end + 10]))
    for kind in KINDS.values():
        yield f"personal data: {kind}", "recall", hits[kind] / gold[kind], 0.99
        yield f"personal data: {kind}", "precision", hits[kind] / max(1, hits[kind] + false[kind]), 0.98
    for kind in sorted(set(false) - set(KINDS.values())):
        yield f"personal data: {kind}", "false findings", float(false[kind]), 0.0


def characters(text: str, start: int, end: int) -> tuple[int, int]:
    data = text.encode()
    return len(data[:start].decode()), len(data[:end].decode())


def same(left: tuple[int, int], right: tuple[int, int]) -> bool:
    shared = min(left[1], right[1]) - max(left[0], right[0])
    return shared >= 0.8 * max(left[1] - left[0], right[1] - right[0])


def score_language(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    right, total = Counter(), Counter()
    with gzip.open(corpora / "lid.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            language, text = line.rstrip("\n").split("\t", 1)
            found = identify(text).language
            total[language] += 1
            right[language] += found == language
            if mistakes and found != language:
                print("language", language, "->", found, repr(text[:200]))
    yield "language", "accuracy", sum(right.values()) / sum(total.values()), 0.99
    for language in sorted(total):
        yield f"language {language}", "accuracy", right[language] / total[language], 0.0


def score_html(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """F1 over the words of a page, as a bag, against its main text; a leak is a page with a string that must not be there."""
    gold = {page["url"]: page for page in documents(corpora / "pages_gold.jsonl.gz")}
    for profile in HtmlProfile:
        began_s = cpu_s()
        pages = list(read_records(corpora / "pages.warc.gz", name="pages.warc.gz", profile=profile))
        spent_s = cpu_s() - began_s
        scores, leaks = [], 0
        for page in pages:
            truth = gold.pop(page.url) if profile is list(HtmlProfile)[-1] else gold[page.url]
            scores.append(word_f1(page.text or "", truth["text"]))
            leaks += any(string in (page.text or "") for string in truth["must_not"])
            if mistakes and scores[-1] < 0.9:
                print("html", profile, page.url, page.broken, round(scores[-1], 3))
        yield f"HTML in WARC, {profile}", "F1", sum(scores) / len(scores), 0.90
        yield f"HTML in WARC, {profile}", "worst page", min(scores), 0.0
        yield f"HTML in WARC, {profile}", "pages that leak", float(leaks), 0.0
        yield f"HTML in WARC, {profile}", "pages per CPU-s", len(pages) / spent_s, 0.0
    assert not gold, f"{len(gold)} pages were not read"


def word_f1(found: str, truth: str) -> float:
    left, right = Counter(WORD.findall(found)), Counter(WORD.findall(truth))
    return 2 * sum((left & right).values()) / max(1, sum(left.values()) + sum(right.values()))


def score_clean(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """Text without planted values: what is found there, and how fast redaction and identification are on it."""
    rows = documents(corpora / "clean.jsonl.gz")
    texts = [row["text"].encode() for row in rows]
    num_mb = sum(map(len, texts)) / 1e6
    redact_batch(texts[:9], kinds=ALL)
    began_s = cpu_s()
    redacted = redact_batch(texts, kinds=ALL)
    yield "clean text", "redaction MB/CPU-s", num_mb / (cpu_s() - began_s), 0.0
    findings = [finding for each in redacted for finding in each.findings]
    yield "clean text", "values found", float(len(findings)), 0.0
    for finding in findings if mistakes else ():
        print("clean", finding.kind.value, repr(finding.prefix[-40:]), repr(finding.value))
    buffer = join_texts(texts)
    identify_batch(buffer.data, buffer.offsets[:9])
    began_s = cpu_s()
    found = identify_batch(buffer.data, buffer.offsets)
    yield "clean text", "language MB/CPU-s", num_mb / (cpu_s() - began_s), 0.0
    right = sum(each.language == row["lang"] for each, row in zip(found, rows, strict=True))
    yield "clean text", "language accuracy", right / len(rows), 0.99


def decisions(corpora: Path, names: list[str], **fields: object) -> dict[str, dict]:
    """By id what `prepare` decides on the documents of files."""
    work = Path(tempfile.mkdtemp(prefix="fucina-quality-"))
    try:
        sources = resolve([(name, "public-domain", "") for name in names], base=corpora)
        recipe = PrepareRecipe.model_validate(
            {"sources": sources, "redact": (), "vocabulary_size": 300, "num_canaries": 0, **fields}
        )
        progress = Progress(work / "progress.ndjson", stage="prepare")
        prepare(recipe, workdir=work, out=work / "out", scratch=work, progress=progress, executor=LocalExecutor(1))
        return {row["id"]: row for row in pq.read_table(work / "out" / "decisions.parquet").to_pylist()}
    finally:
        shutil.rmtree(work)


def score_duplicates(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """A pair is found unless both documents stay; a removal is right when the document is at least 0.7 like another."""
    decided = decisions(corpora, ["dedup.jsonl.gz"], quality=False, min_characters=1)
    with gzip.open(corpora / "dedup_pairs.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        pairs = [(row["id_a"], row["id_b"], float(row["jaccard_w5"])) for row in csv.DictReader(lines)]
    alike = [(a, b, similarity) for a, b, similarity in pairs if similarity >= 0.8]
    missed = [pair for pair in alike if decided[pair[0]]["kept"] and decided[pair[1]]["kept"]]
    related = {name for a, b, similarity in pairs if similarity >= 0.7 for name in (a, b)}
    removed = [name for name, row in decided.items() if row["step"] == "duplicates"]
    wrong = [name for name in removed if name not in related]
    for line in (*missed, *wrong) if mistakes else ():
        print("duplicates", line)
    yield "near copies, J >= 0.8", "recall", 1 - len(missed) / len(alike), 0.995
    yield "near copies, J >= 0.7", "precision", 1 - len(wrong) / len(removed), 0.99


def score_rules(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """Clean documents that stay, junk that goes, both before duplicates are looked for."""
    decided = decisions(corpora, ["clean.jsonl.gz", "junk.jsonl.gz"], drop_duplicates=False)
    junk = [row for row in decided.values() if row["source"].startswith("junk")]
    clean = [row for row in decided.values() if row["source"].startswith("clean")]
    for row in clean + junk if mistakes else ():
        if row["kept"] != row["source"].startswith("clean"):
            print("rules", row["id"], row["reason"])
    yield "clean documents", "kept", sum(row["kept"] for row in clean) / len(clean), 0.99
    yield "junk", "dropped", sum(not row["kept"] for row in junk) / len(junk), 0.99


def score_parity(corpora: Path, *, mistakes: bool) -> Iterator[Row]:
    """Documents on which a filter of the profile `datatrove` decides as datatrove did, and for the same reason."""
    columns = dict(zip(PEER_FILTERS, ("gopher_repetition", "gopher_quality_nostop", "c4", "fineweb"), strict=True))
    oracle = {row["id"]: row for row in documents(corpora / "quality_oracle.jsonl.gz")}
    names = ["clean.jsonl.gz", "junk.jsonl.gz"]
    decided = decisions(corpora, names, quality_profile="datatrove", drop_duplicates=False, min_characters=1)
    for name, column in columns.items():
        ours = {each: decided[each][name] or "keep" for each in oracle}
        for each in oracle if mistakes else ():
            if ours[each] != oracle[each][column]:
                print("parity", name, each, ours[each], oracle[each][column])
        same_side = sum((ours[each] == "keep") == (oracle[each][column] == "keep") for each in oracle)
        yield f"parity with datatrove: {name}", "same decision", same_side / len(oracle), 0.99
        yield (
            f"parity with datatrove: {name}",
            "same reason",
            sum(ours[e] == oracle[e][column] for e in oracle) / len(oracle),
            0.99,
        )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--mistakes", action="store_true")
    arguments = parser.parse_args()
    scores: dict[str, Callable[..., Iterator[Row]]] = {
        "personal": score_personal_data,
        "language": score_language,
        "html": score_html,
        "clean": score_clean,
        "duplicates": score_duplicates,
        "rules": score_rules,
        "parity": score_parity,
    }
    failed = 0
    for name, score in scores.items():
        if arguments.only not in ("", name):
            continue
        for what, figure, value, bar in score(arguments.corpora, mistakes=arguments.mistakes):
            print(f"{what:36s} {figure:18s} {value:8.4f}  {f'>= {bar}' if bar else ''}")
            failed += bool(bar) and value < bar
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
