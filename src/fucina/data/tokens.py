"""The tokenizer: trained here or given; and token shards."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from fucina.errors import BadInput

END_OF_DOCUMENT = "<|end|>"
"""Ends every document; also begins and pads."""

_KNOWN_ENDS = (END_OF_DOCUMENT, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>")
_MAX_TOKEN_CHARACTERS = 32

MIN_TRAINING_BYTES = 4_000_000
TRAINING_BYTES_PER_TOKEN = 1_000
"""How much text a tokenizer is trained on, about: the trainer keeps every different word in memory and takes half a
second for a megabyte."""


class BadTokenizer(BadInput):
    """The given tokenizer cannot be used."""

    code = "bad_tokenizer"


def train_tokenizer(texts: Iterator[str], *, vocabulary_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer: it can write any text, and splits numbers into digits."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        special_tokens=[AddedToken(END_OF_DOCUMENT, special=True, normalized=False)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_MAX_TOKEN_CHARACTERS,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """A given `tokenizer.json`; an end-of-document token is added when it has none.

    Raises BadTokenizer.
    """
    if not path.is_file():
        raise BadTokenizer(f"There is no tokenizer {path.name}.", hint="Give the path of a tokenizer.json.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # The library raises plain Exception for whatever it cannot parse.
        raise BadTokenizer(
            f"{path.name} is no tokenizer: {error}.", hint="Give a Hugging Face tokenizer.json."
        ) from error
    if end_token(tokenizer) is None:
        tokenizer.add_special_tokens([AddedToken(END_OF_DOCUMENT, special=True, normalized=False)])
    return tokenizer


def end_token(tokenizer: Tokenizer) -> str | None:
    """The token that ends a document."""
    return next((token for token in _KNOWN_ENDS if tokenizer.token_to_id(token) is not None), None)


def tokenizer_files(tokenizer: Tokenizer) -> dict[str, bytes]:
    """The three files that transformers' AutoTokenizer loads."""
    end = end_token(tokenizer) or END_OF_DOCUMENT
    special = {"bos_token": end, "eos_token": end, "pad_token": end}
    config = {
        **special,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return {
        "tokenizer.json": (tokenizer.to_str(pretty=True) + "\n").encode(),
        "tokenizer_config.json": _json(config),
        "special_tokens_map.json": _json(special),
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def token_type(vocabulary_size: int) -> type[np.unsignedinteger]:
    """The smallest type of the two that shards use."""
    return np.uint16 if vocabulary_size <= 1 << 16 else np.uint32
