"""The data sheet: what the model was trained on, for people."""

import re
from collections.abc import Iterable, Sequence

from fucina.data.card import DatasetCard
from fucina.trust.evidence import Evidence

DATASHEET_FILE = "data/datasheet.md"

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def plain(text: object) -> str:
    """Somebody's words inside Markdown: one line, nothing in it acts as markup."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = ()) -> str:
    """A Markdown table; the columns in `numbers` align right."""
    right = set(numbers)
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    lines = [header, rule, *([cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def write_datasheet(evidence: Evidence) -> str:
    """`data/datasheet.md`. Holds no time, so that the same documents give the same bytes."""
    card = evidence.card
    head = f"# Data sheet: documents of {plain(evidence.recipe.project)}\n\n"
    if card is None:
        return head + "The run left no card of its documents. **Open question:** what was the model trained on?\n"
    parts = [_composition(evidence, card), _sources(card), _curation(card), _personal(card), _splits(card), _open()]
    return head + "\n\n".join(parts) + "\n"


def _composition(evidence: Evidence, card: DatasetCard) -> str:
    languages = table(
        ("Language", "Documents", "Characters", "Tokens"),
        [
            (code, tally.num_documents, tally.num_characters, tally.num_tokens)
            for code, tally in sorted(card.languages.items())
        ],
        numbers=(1, 2, 3),
    )
    licences = table(
        ("Licence", "Documents", "Characters"),
        [(plain(name), tally.num_documents, tally.num_characters) for name, tally in sorted(card.licences.items())],
        numbers=(1, 2),
    )
    return (
        f"Text documents supplied by {plain(evidence.recipe.organisation)}. The documents are not part of the release; "
        "`croissant.json` names each file with its SHA-256.\n\n"
        f"## What it holds\n\n{card.num_records:,} records were read and {card.num_documents:,} documents kept.\n\n"
        f"{languages}\n\n{licences}"
    )


def _sources(card: DatasetCard) -> str:
    rows = [
        (plain(source.name), plain(source.licence), plain(source.origin) or "–", source.num_records, source.num_broken,
         source.kept.num_documents, f"`{source.sha256[:16]}`")
        for source in card.sources
    ]  # fmt: skip
    header = ("File", "Licence", "Origin", "Records", "Broken", "Documents kept", "SHA-256 begins")
    return f"## Where it comes from\n\n{table(header, rows, numbers=(3, 4, 5))}"


def _curation(card: DatasetCard) -> str:
    rows = [(plain(reason), count, "broken") for reason, count in sorted(card.broken.items())]
    rows += [(plain(reason), count, "dropped") for reason, count in sorted(card.drops.items())]
    drops = table(("Reason", "Records", "Kind"), rows, numbers=(1,)) if rows else "Nothing was dropped."
    encodings = ", ".join(f"{plain(name)} ({count:,})" for name, count in sorted(card.encodings.items()))
    return (
        "## How it was curated\n\nEvery record was decoded, normalised (Unicode), identified by language, held against "
        "rules of quality and length, and compared with all others.\n\n"
        f"{drops}\n\nExact duplicates: {card.num_exact_duplicates:,}. Near duplicates: {card.num_near_duplicates:,}, "
        f"at a Jaccard similarity of word 5-grams of {card.near_duplicate_threshold:g} or more. "
        f"Records by encoding: {encodings or 'not recorded'}."
    )


def _personal(card: DatasetCard) -> str:
    rows = [(plain(kind), count) for kind, count in sorted(card.redactions.items())]
    found = table(("Kind", "Redacted"), rows, numbers=(1,)) if rows else "No value of the kinds looked for was found."
    return (
        f"## Personal data\n\n{found}\n\n{card.num_canaries:,} synthetic records were planted to test the "
        f"redaction; it found {card.num_canaries_redacted:,} of them. Values are found by pattern and checksum; names, "
        "addresses and indirect identifiers are not looked for."
    )


def _splits(card: DatasetCard) -> str:
    rows = [
        (name, tally.num_documents, tally.num_characters, tally.num_tokens)
        for name, tally in (("training", card.train), ("validation", card.validation))
    ]
    tokenizer = "given" if card.given_tokenizer_sha256 else "trained on these documents"
    return (
        f"## Splits and tokens\n\n{table(('Split', 'Documents', 'Characters', 'Tokens'), rows, numbers=(1, 2, 3))}\n\n"
        f"Split by document with seed {card.seed}. Vocabulary of {card.vocabulary_size:,}, {tokenizer}; "
        f"{card.tokens_per_character:.3f} tokens for each character."
    )


def _open() -> str:
    return (
        "## What only people can say\n\nNo record answers these; the dossier lists them as open questions.\n\n"
        "- What should the documents represent, and do they represent the people and the setting of use?\n"
        "- For which purpose were they first collected, and on which legal basis?\n"
        "- Which biases were looked for, and what was done about them?\n"
        "- Were reservations of rights respected where documents were collected?"
    )
