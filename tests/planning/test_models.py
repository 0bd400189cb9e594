import json

import pytest
from pydantic import ValidationError

from fucina.planning.models import MODELS, BadModel, Model, UnknownModel, find_model

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "hidden_act": "silu",
    "max_position_embeddings": 8192,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "kv_lora_rank": 512,
    "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128, "vocab_size": 129280,
    "max_position_embeddings": 4096, "hidden_act": "silu",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "billions", "active"),
    [
        ("llama-3-8b", 8.03, 7.50),
        ("llama-3-405b", 405.9, 403.8),
        ("gpt-3-175b", 174.6, 174.6),
        ("deepseek-v3", 671.0, 36.6),
        ("mixtral-8x7b", 46.7, 12.7),
    ],
)
def test_parameters_are_the_published_ones(name, billions, active):
    model = MODELS[name]

    assert model.num_parameters / 1e9 == pytest.approx(billions, rel=2e-3)
    assert model.num_active_parameters / 1e9 == pytest.approx(active, rel=6e-3)


def write(folder, config):
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder / "config.json"


@pytest.mark.parametrize(("config", "name"), [(LLAMA, "llama-3-8b"), (DEEPSEEK, "deepseek-v3")])
def test_a_hugging_face_configuration_is_the_same_model(tmp_path, config, name):
    for given in (str(write(tmp_path, config)), str(tmp_path)):
        found = find_model(given)

        assert found.num_parameters == MODELS[name].num_parameters
        assert found.flops_per_token(4096) == MODELS[name].flops_per_token(4096)


def test_a_plain_feed_forward_part_has_two_matrices(tmp_path):
    old = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024,
           "activation_function": "gelu_new", "tie_word_embeddings": True}  # fmt: skip

    assert find_model(str(write(tmp_path, old))).num_parameters == pytest.approx(124e6, rel=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"num_key_value_heads": 5}, "evenly"),
        ({"num_hidden_layers": 0}, "num_layers"),
        ({"vocab_size": "many"}, "vocabulary_size"),
        ({"hidden_size": 4097}, "multiple"),
        ({"num_local_experts": 4, "num_experts_per_tok": 8}, "top 8 of 4"),
    ],
)
def test_a_configuration_that_is_no_decoder_says_why(tmp_path, change, words):
    with pytest.raises(BadModel, match=words):
        find_model(str(write(tmp_path, {**LLAMA, **change})))


@pytest.mark.parametrize("text", ["[]", "{", "3", "null"])
def test_a_file_that_is_no_configuration(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")

    with pytest.raises(BadModel):
        find_model(str(tmp_path / "config.json"))


def test_a_binary_file_or_none_is_named(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\x00\x80")
    for name in (str(tmp_path / "x.json"), str(tmp_path / "absent.json"), "no-such-model"):
        with pytest.raises(UnknownModel):
            find_model(name)


def test_a_window_lowers_what_is_attended_to():
    full = MODELS["llama-3-8b"]
    windowed = full.model_copy(update={"window": 128, "window_share": 0.5})

    assert windowed.attended(8192) < 0.52 * full.attended(8192)
    assert windowed.attended(100) == full.attended(100)
    with pytest.raises(ValidationError):
        Model(**{**full.model_dump(), "unknown": 1})
