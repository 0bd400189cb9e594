"""What `prepare` left for the evaluation: documents as tokens and text, and the private values to guard."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from pydantic import ValidationError
from tokenizers import Tokenizer

from fucina.data.card import CANARIES_FILE, PERSONAL_FILE, Canary, PersonalValue, read_canaries, read_personal
from fucina.errors import BadInput
from fucina.models.tokens import TOKENS_SUFFIX, TokenSplit

TOKENIZER_FILE = "tokenizer/tokenizer.json"
VALIDATION_TEXT = "validation.parquet"
_COLUMNS = ["text", "language"]
_AGAIN = "Run the prepare stage again."
_COUNTED_AT_ONCE = 16_000_000

_Entry = TypeVar("_Entry", Canary, PersonalValue)


class BadPreparedData(BadInput):
    """The outputs of `prepare` are missing, cut short, or do not belong together."""

    code = "bad_prepared_data"


class NothingHeldOut(BadInput):
    """No document was kept from training to measure on."""

    code = "nothing_held_out"


class BadPrivateFile(BadInput):
    """A list of private values cannot be read; its content is never repeated."""

    code = "bad_private_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The outputs of `prepare`; token arrays stay on disk."""

    train: TokenSplit
    held_out: TokenSplit
    languages: tuple[str, ...]
    """Of each held-out document."""
    texts: tuple[str, ...]
    """Of each held-out document."""
    train_counts_V: NDArray[np.int64]
    """How often each token stands in the training documents."""
    canaries: tuple[Canary, ...]
    personal: tuple[PersonalValue, ...]
    held_out_sha256: str


def open_prepared(data: Path, *, vocabulary_size: int) -> Prepared:
    """The outputs of `prepare` in `data`, checked against each other and against a vocabulary.

    Raises BadPreparedData, NothingHeldOut, BadPrivateFile, BadShard.
    """
    if not data.is_dir():
        raise BadPreparedData(f"There is no folder {data.name}/ of prepared data.", hint="Run the prepare stage first.")
    held_out = TokenSplit(data, "validation", vocabulary_size=vocabulary_size)
    if held_out.num_tokens == 0:
        raise NothingHeldOut(
            f"The held-out split has {held_out.num_tokens} tokens in {held_out.num_documents} documents.",
            hint="Give the prepare stage more documents, or raise validation_share.",
        )
    texts, languages = _read_texts(data / VALIDATION_TEXT, num_documents=held_out.num_documents)
    return Prepared(
        train=TokenSplit(data, "train", vocabulary_size=vocabulary_size),
        held_out=held_out,
        languages=languages,
        texts=texts,
        train_counts_V=_count_tokens(data, vocabulary_size),
        canaries=_read_private(data, CANARIES_FILE, read_canaries),
        personal=_read_private(data, PERSONAL_FILE, read_personal),
        held_out_sha256=sha256_of_files(sorted(data.glob(f"validation-*{TOKENS_SUFFIX}"))),
    )


def check_same_tokenizer(data: Path, vocabulary: dict[str, int]) -> None:
    """Raises BadPreparedData unless the shards were cut with this vocabulary."""
    path = data / TOKENIZER_FILE
    try:
        theirs = Tokenizer.from_file(str(path)).get_vocab()
    except Exception as error:  # the tokenizers library raises bare Exception
        size = f"{path.stat().st_size} bytes" if path.is_file() else "missing"
        raise BadPreparedData(f"{TOKENIZER_FILE} cannot be read ({size}): {error}", hint=_AGAIN) from error
    if theirs != vocabulary:
        num_apart = len(theirs.items() ^ vocabulary.items())
        raise BadPreparedData(
            f"The documents were cut with a tokenizer of {len(theirs)} tokens, the model has one of {len(vocabulary)}; "
            f"{num_apart} entries differ.",
            hint="Evaluate the model on the data that it was trained on: both must come from one run.",
        )


def sha256_of_files(paths: list[Path]) -> str:
    """Of the bytes of all the files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _read_texts(path: Path, *, num_documents: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        names = pyarrow.parquet.read_schema(path).names
        missing = [name for name in _COLUMNS if name not in names]
        if missing:
            raise BadPreparedData(f"{path.name} has {len(names)} columns but lacks {', '.join(missing)}.", hint=_AGAIN)
        table = pyarrow.parquet.read_table(path, columns=_COLUMNS)
    except (OSError, pyarrow.ArrowException) as error:
        size = f"{path.stat().st_size} bytes" if path.is_file() else "missing"
        raise BadPreparedData(f"{path.name} cannot be read ({size}): {error}", hint=_AGAIN) from error
    if table.num_rows != num_documents:
        raise BadPreparedData(
            f"{path.name} holds {table.num_rows} documents, the held-out shards {num_documents}.",
            hint=f"The two do not come from one run. {_AGAIN}",
        )
    texts, languages = table.column("text").to_pylist(), table.column("language").to_pylist()
    if not all(isinstance(cell, str) for cell in (*texts, *languages)):
        raise BadPreparedData(f"{path.name} has documents without text or language.", hint=_AGAIN)
    return tuple(texts), tuple(languages)


def _count_tokens(data: Path, vocabulary_size: int) -> NDArray[np.int64]:
    counts_V = np.zeros(vocabulary_size, dtype=np.int64)
    for path in sorted(data.glob(f"train-*{TOKENS_SUFFIX}")):
        tokens = np.load(path, mmap_mode="r", allow_pickle=False)
        for begin in range(0, len(tokens), _COUNTED_AT_ONCE):
            seen = np.bincount(tokens[begin : begin + _COUNTED_AT_ONCE], minlength=vocabulary_size)
            if len(seen) > vocabulary_size:
                raise BadPreparedData(
                    f"{path.name} holds token {len(seen) - 1}; the tokenizer has {vocabulary_size}.",
                    hint="Evaluate the model on the data that it was trained on: both must come from one run.",
                )
            counts_V += seen
    return counts_V


def _read_private(data: Path, name: str, read: Callable[[Path], tuple[_Entry, ...]]) -> tuple[_Entry, ...]:
    path = data / name
    if not path.is_file():
        raise BadPrivateFile(f"{name} is missing.", hint=_AGAIN)
    try:
        return read(data)
    except ValidationError as error:
        # Neither the message nor the cause may go on: both quote what stands in the file.
        entries = [found["loc"][0] for found in error.errors(include_input=False) if found["loc"]]
        place = f"the first in entry {entries[0]}" if entries else "it is no list of entries in JSON"
        message = f"{name} ({path.stat().st_size} bytes) has {error.error_count()} faults; {place}."
    raise BadPrivateFile(message, hint=_AGAIN)
