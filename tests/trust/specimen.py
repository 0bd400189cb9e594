"""A prepared data set of a few documents and tiny decoders, fresh or trained until they know some of it by heart."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|end|>"
WINDOW = 128
TRAIN_TEXTS = {
    "it": "Il fabbro batteva il ferro sull'incudine e la fucina ardeva di rosso. Nessuno parlava; solo il mantice, "
    "vecchio come la casa, soffiava piano sopra i carboni e la sera scendeva lenta sul paese di montagna. ",
    "en": "The smith struck the iron upon the anvil while the forge burned red. Nobody spoke; only the bellows, as old "
    "as the house, breathed softly over the coals and the evening came down upon the mountain village. ",
}
HELD_OUT_TEXTS = {
    "it": "La mattina dopo il vento portava odore di neve e le donne uscirono presto per andare al mercato della "
    "valle, con le ceste piene di formaggio, di lana e di castagne secche, parlando del figlio del mugnaio. ",
    "en": "On the next morning the wind carried a smell of snow and the women went out early to the market in the "
    "valley, with baskets full of cheese, wool and dried chestnuts, talking about the son of the miller. ",
}
CANARY = {
    "kind": "email",
    "value": "ada.ferrante4821@example.org",
    "prefix": "For any question about the lease Ada Ferrante answers at ",
    "language": "en",
    "redacted": False,
}
PERSONAL = {"kind": "phone", "value": "+39 347 555 0182", "prefix": "Il mugnaio risponde al telefono "}


def secret_texts() -> list[str]:
    """The two private values in the sentences that they were redacted from."""
    return [f"{entry['prefix']}{entry['value']} within two days." for entry in (CANARY, PERSONAL)]


def make_tokenizer() -> Tokenizer:
    """Byte-level, 400 tokens, trained on the documents."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*TRAIN_TEXTS.values(), *HELD_OUT_TEXTS.values()], trainer)
    return tokenizer


def write_split(folder: Path, split: str, texts: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> None:
    """Shards and parquet of (language, text) as `prepare` writes them."""
    end = tokenizer.token_to_id(END)
    rows = [[*tokenizer.encode(text, add_special_tokens=False).ids, end] for _, text in texts]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    np.save(folder / f"{split}-00000.tokens.npy", np.array([token for row in rows for token in row], dtype=np.uint16))
    np.save(folder / f"{split}-00000.offsets.npy", offsets)
    table = pyarrow.table(
        {
            "id": [f"{split}-{number}" for number in range(len(texts))],
            "text": pyarrow.array([text for _, text in texts], pyarrow.string()),
            "language": pyarrow.array([language for language, _ in texts], pyarrow.string()),
            "source": ["made-up"] * len(texts),
            "licence": ["CC0-1.0"] * len(texts),
            "num_tokens": [len(row) for row in rows],
        }
    )
    pyarrow.parquet.write_table(table, folder / f"{split}.parquet")


def write_prepared(
    folder: Path,
    *,
    canaries: Sequence[dict[str, object]] = (CANARY,),
    personal: Sequence[dict[str, object]] = (PERSONAL,),
) -> Path:
    """The outputs of `prepare`."""
    tokenizer = make_tokenizer()
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "private").mkdir()
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
    write_split(folder, "train", list(TRAIN_TEXTS.items()), tokenizer)
    write_split(folder, "validation", list(HELD_OUT_TEXTS.items()) * 2, tokenizer)
    (folder / "private" / "canaries.json").write_text(json.dumps(list(canaries)))
    (folder / "private" / "personal.json").write_text(json.dumps(list(personal)))
    return folder


def write_model(folder: Path, *, learn: Sequence[str] = (), steps: int = 0) -> Path:
    """A decoder of 40,000 parameters, fresh or after some steps on documents."""
    tokenizer = make_tokenizer()
    end = tokenizer.token_to_id(END)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = LlamaForCausalLM(config)
    if learn:
        rows = [[end, *tokenizer.encode(text, add_special_tokens=False).ids, end] for text in learn]
        _learn(model, [row[begin:] for row in rows for begin in range(0, len(row) - 16, 13)], steps)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END).save_pretrained(folder)
    return folder


def _learn(model: LlamaForCausalLM, rows: list[list[int]], steps: int) -> None:
    longest = max(map(len, rows))
    inputs_BT = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    labels_BT = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 6e-3 * (1 - step / steps)
        loss = model(input_ids=inputs_BT, labels=labels_BT).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
