"""Token shards made on the spot: random documents over a small vocabulary, with the grammar of a first-order chain."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from fucina.models.run import END_OF_DOCUMENT

VOCABULARY_SIZE = 257
END = 256


def write_split(folder: Path, split: str, shards: list[list[list[int]]], dtype: type = np.uint16) -> None:
    """Write documents as token shards, one list of documents for each shard."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, documents in enumerate(shards):
        tokens = np.array([token for document in documents for token in document], dtype=dtype)
        offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
        np.save(folder / f"{split}-{number:05d}.tokens.npy", tokens)
        np.save(folder / f"{split}-{number:05d}.offsets.npy", offsets)


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of bytes and the end of a document."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_DOCUMENT])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_DOCUMENT, "bos_token": END_OF_DOCUMENT}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    special = {"eos_token": END_OF_DOCUMENT, "bos_token": END_OF_DOCUMENT}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


def chain_documents(count: int, *, seed: int) -> list[list[int]]:
    """Documents in which most tokens follow from the one before."""
    random = np.random.default_rng(seed)
    documents = []
    for _ in range(count):
        token, document = int(random.integers(64)), []
        for _ in range(int(random.integers(5, 90))):
            document.append(token)
            token = (3 * token + 7) % 64 if random.random() < 0.9 else int(random.integers(64))
        documents.append([*document, END])
    return documents
