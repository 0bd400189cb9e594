import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fucina.compute.record import Progress
from fucina.models.generate import BadModel, PromptTooLong, complete, continue_tokens, load
from fucina.models.recipe import TrainRecipe
from fucina.models.score import token_log_probabilities
from fucina.models.train import train
from tests.models.shards import END


@pytest.fixture(scope="module")
def model_dir(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("model")
    recipe = TrainRecipe(
        size="0.1M", num_tokens=30 * 256, sequence_length=32, batch_tokens=256, learning_rate=0.02, num_threads=1
    )
    progress = Progress(work / "progress.ndjson", stage="train")
    train(recipe, data=data, out=work / "out", scratch=work / "scratch", progress=progress)
    return work / "out" / "model"


def test_greedy_tokens_are_those_of_a_full_pass(model_dir: Path) -> None:
    model, _ = load(model_dir)
    prompts = torch.tensor([[1, 10, 37], [5, 22, 9]])

    written = continue_tokens(model, prompts, 8)

    assert written.shape == (2, 8)
    so_far = prompts
    for place in range(8):
        with torch.no_grad():
            expected = model(so_far, use_cache=False).logits[:, -1].argmax(-1)
        assert torch.equal(written[:, place], expected)
        so_far = torch.cat([so_far, expected[:, None]], dim=1)


def test_nothing_new_is_nothing_written(model_dir: Path) -> None:
    assert continue_tokens(load(model_dir).model, torch.tensor([[1]]), 0).shape == (1, 0)


@pytest.mark.parametrize(("length", "num_new"), [(0, 3), (30, 3), (33, 0)])
def test_tokens_beyond_the_window_are_refused(model_dir: Path, length: int, num_new: int) -> None:
    with pytest.raises(PromptTooLong, match=f"prompt of {length} tokens with {num_new} new .* window of 32"):
        continue_tokens(load(model_dir).model, torch.zeros((1, length), dtype=torch.long), num_new)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_text_does_not_depend_on_its_company(model_dir: Path, temperature: float) -> None:
    model, tokenizer = load(model_dir)
    prompts = ["!", "abcdefgh", "", "a much longer prompt than the window of this model can hold at once, by far"]
    options = {"max_new_tokens": 12, "temperature": temperature, "seed": 3}

    together = complete(model, tokenizer, prompts, **options)

    assert together == complete(model, tokenizer, prompts, **options)
    assert together[0] == complete(model, tokenizer, prompts[:1], **options)[0]
    assert all(isinstance(text, str) for text in together)
    if temperature:
        assert together != complete(model, tokenizer, prompts, **{**options, "seed": 4})


def test_narrow_choices_are_greedy(model_dir: Path) -> None:
    model, tokenizer = load(model_dir)
    greedy = complete(model, tokenizer, ["abc"], max_new_tokens=10, temperature=0)

    assert complete(model, tokenizer, ["abc"], max_new_tokens=10, temperature=1, top_k=1) == greedy
    assert complete(model, tokenizer, ["abc"], max_new_tokens=10, temperature=1, top_p=1e-9) == greedy


def test_no_prompts_no_texts(model_dir: Path) -> None:
    model, tokenizer = load(model_dir)

    assert complete(model, tokenizer, [], max_new_tokens=5) == []
    with pytest.raises(PromptTooLong, match="31 new tokens leave no room"):
        complete(model, tokenizer, ["a"], max_new_tokens=31)


def test_scores_are_those_of_a_full_pass(model_dir: Path) -> None:
    model, _ = load(model_dir)
    random = np.random.default_rng(0)
    documents = [random.integers(0, 64, size=length).astype(np.uint16) for length in (1, 32, 7, 0, 20)]

    scores = token_log_probabilities(model, documents)

    for document, score in zip(documents, scores, strict=True):
        assert len(score) == len(document)
        if len(document):
            inputs = torch.from_numpy(np.concatenate([[END], document[:-1]]).astype(np.int64))[None]
            with torch.no_grad():
                expected = model(inputs).logits[0].log_softmax(-1)
            labels = torch.from_numpy(document.astype(np.int64))
            np.testing.assert_allclose(score, expected.gather(1, labels[:, None])[:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 16, 32])
def test_a_long_document_is_scored_with_at_least_its_context(model_dir: Path, stride: int) -> None:
    model, _ = load(model_dir)
    document = np.random.default_rng(0).integers(0, 64, size=75)

    [score] = token_log_probabilities(model, [document], stride=stride)

    inputs = np.concatenate([[END], document[:-1]])
    for place in (40, 74):
        end = 32 + -(-(place + 1 - 32) // stride) * stride
        begin = min(end, 75) - 32
        with torch.no_grad():
            logits = model(torch.from_numpy(inputs[begin : place + 1])[None]).logits[0, -1].log_softmax(-1)
        assert score[place] == pytest.approx(float(logits[document[place]]), abs=1e-4)


def copy_of(model_dir: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in model_dir.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_that_lacks_a_file_is_refused(model_dir: Path, tmp_path: Path, name: str) -> None:
    folder = copy_of(model_dir, tmp_path / "model")
    (folder / name).unlink()

    with pytest.raises(BadModel, match=f"model/ lacks {name}"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_with_a_broken_file_is_refused(model_dir: Path, tmp_path: Path, name: str) -> None:
    folder = copy_of(model_dir, tmp_path / "model")
    (folder / name).write_bytes((folder / name).read_bytes()[:40])

    with pytest.raises(BadModel, match="cannot be opened"):
        load(folder)


def test_code_in_a_model_folder_is_not_run(model_dir: Path, tmp_path: Path) -> None:
    folder = copy_of(model_dir, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "trap"
    config["auto_map"] = {"AutoConfig": "trap.Trap", "AutoModelForCausalLM": "trap.Trap"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "trap.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'sprung')!r}).touch()\n")

    with pytest.raises(BadModel):
        load(folder)
    assert not (tmp_path / "sprung").exists()
