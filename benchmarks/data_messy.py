"""A messy set of any size from real sentences in five languages, and the truth about what was planted in it.

    python benchmarks/data_messy.py FOLDER --megabytes 12

Documents are new sequences of real sentences. Planted: exact copies, near copies (words replaced), pages of boilerplate
and word salad, and personal data of nobody with look-alikes beside it. Writes LANGUAGE.jsonl and truth.json.
"""

import argparse
import gzip
import json
import random
import re
from pathlib import Path

from fucina.data.canaries import make_record
from fucina.data.characters import fold
from fucina.data.recipe import PersonalData

HERE = Path(__file__).parent
SEEDS = {
    **{code: HERE.parent / "examples" / "penna-nuova" / "corpus" / f"{code}.jsonl.gz" for code in ("it", "en")},
    **{code: HERE / "seeds" / f"{code}.jsonl.gz" for code in ("de", "fr", "es")},
}
CARRIERS = {
    "it": "Si può scrivere o chiamare: {} (ufficio aperto la mattina).",
    "en": "Please write or call: {} (the office is open in the morning).",
    "de": "Bitte schreiben oder anrufen: {} (das Büro ist am Morgen offen).",
    "fr": "On peut écrire ou appeler : {} (le bureau est ouvert le matin).",
    "es": "Se puede escribir o llamar: {} (la oficina abre por la mañana).",
}
ANNOUNCED = {PersonalData.NATIONAL_ID, PersonalData.PLATE}
"""Kinds that look like other numbers: only the words before them tell what they are."""
LOOKALIKES = ("D.Lgs. 394/2017, art. 91", "08/05/1982", "ISBN 978-88-64-09128-3", "192.168.10.7", "EUR 805.636.584,00")
BOILERPLATE = "This site uses cookies.\nPlease enable Javascript to view it.\nPrivacy policy\nAll rights reserved\n"
SHARES = {"exact": 0.04, "near": 0.08, "junk": 0.04, "personal": 0.15}


def sentences(code: str) -> list[str]:
    """Sentences of a language, from its seed."""
    with gzip.open(SEEDS[code], "rt", encoding="utf-8") as lines:
        texts = [row["text"] for row in map(json.loads, lines) if not str(row.get("id", "")).startswith("junk")]
    found = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+", text))
    return sorted({part for part in found if 40 < len(part) < 400})


def grams(text: str) -> set[tuple[bytes, ...]]:
    """Word 5-grams as the definition of a near copy has them."""
    words = fold(text).split()
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def jaccard(left: str, right: str) -> float:
    a, b = grams(left), grams(right)
    return len(a & b) / len(a | b)


def make(folder: Path, *, megabytes: float, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    folder.mkdir(parents=True, exist_ok=True)
    truth: dict[str, list] = {"pairs": [], "junk": [], "spans": []}
    number = 0
    for code in SEEDS:
        pool, documents = sentences(code), []
        size = 0
        while size < megabytes * 1e6 / len(SEEDS):
            number += 1
            row = {"id": f"{code}-{number}", "text": _text(draw, pool, code, documents, truth, number)}
            documents.append(row)
            size += len(row["text"].encode())
        draw.shuffle(documents)
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in documents]
        (folder / f"{code}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "truth.json").write_text(json.dumps(truth))


def _text(draw: random.Random, pool: list[str], code: str, documents: list[dict], truth: dict, number: int) -> str:
    name, kind = f"{code}-{number}", draw.random()
    planted = ""
    for name_of_kind, share in SHARES.items():
        if 0 <= kind < share:
            planted = name_of_kind
        kind -= share
    if planted in ("exact", "near") and documents:
        base = draw.choice(documents)
        text = base["text"] if planted == "exact" else _noisy(draw, base["text"], pool)
        truth["pairs"].append((base["id"], name, jaccard(base["text"], text)))
        return text
    if planted == "junk":
        truth["junk"].append(name)
        if draw.random() < 0.5:
            return BOILERPLATE * draw.randint(3, 9)
        return " ".join(f"{word[:6]}{number}" for sentence in draw.sample(pool, 20) for word in sentence.split()[:4])
    parts = [draw.choice(pool) for _ in range(draw.randint(12, 40))]
    if planted == "personal":
        place = draw.randrange(len(parts))
        record = make_record(number=draw.randrange(10**6), language=code, seed=number)
        carrier = CARRIERS[code]
        if record.kind in ANNOUNCED:
            carrier = record.sentence[: record.offset] + "{}" + record.sentence[record.offset + len(record.value) :]
        before = "\n".join([*parts[:place], carrier.split("{}")[0]])
        parts[place:place] = [carrier.format(record.value), f"({draw.choice(LOOKALIKES)})"]
        truth["spans"].append((name, len(before), len(before) + len(record.value), record.kind.value))
    return "\n".join(parts)


def _noisy(draw: random.Random, text: str, pool: list[str]) -> str:
    share = draw.choice((0.002, 0.005, 0.01, 0.03))
    words = text.split(" ")
    return " ".join(draw.choice(pool).split()[0] if draw.random() < share else word for word in words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    make(given.folder, megabytes=given.megabytes, seed=given.seed)
