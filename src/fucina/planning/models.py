"""Language models as the planner sees them: what is multiplied, kept and sent, dense or with experts."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fucina.errors import BadInput
from fucina.models.recipe import SIZES

GATED = frozenset({"swiglu", "geglu", "silu", "gelu_pytorch_tanh_gated"})
"""Activations whose feed-forward part has three matrices instead of two."""


class UnknownModel(BadInput):
    """No model of that name, and no such file."""

    code = "unknown_model"


class BadModel(BadInput):
    """A model description that no decoder can have."""

    code = "bad_model"


class Experts(BaseModel):
    """The mixture-of-experts part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_routed: int = Field(ge=1, le=10**6)
    num_shared: int = Field(default=0, ge=0)
    top_k: int = Field(ge=1)
    d_ff: int = Field(ge=1, le=10**8)
    num_dense_layers: int = Field(default=0, ge=0)


class Latent(BaseModel):
    """Multi-head latent attention (DeepSeek-AI 2024, arXiv 2405.04434)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kv_rank: int = Field(ge=1)
    q_rank: int = Field(default=0, ge=0)
    """0 where queries are not compressed."""
    rope_dim: int = Field(default=64, ge=0)
    nope_dim: int = Field(default=128, ge=1)
    v_dim: int = Field(default=128, ge=1)


class Model(BaseModel):
    """A decoder; attention may be multi-head, grouped, multi-query or latent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    num_layers: int = Field(ge=1, le=10_000)
    d_model: int = Field(ge=1, le=10**7)
    num_heads: int = Field(ge=1, le=10**6)
    num_kv_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1, le=10**8)
    d_head: int = Field(default=0, ge=0, le=10**6)
    """0 means width over heads."""
    gated: bool = True
    vocabulary_size: int = Field(ge=1, le=10**9)
    tied: bool = False
    max_sequence: int = Field(default=4096, ge=1)
    window: int = Field(default=0, ge=0)
    """Positions that a layer with a sliding window sees; 0 where there is none."""
    window_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the layers that have the window."""
    experts: Experts | None = None
    latent: Latent | None = None
    source: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> "Model":
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"{self.num_heads} heads do not share {self.num_kv_heads} key-value heads evenly")
        if self.experts is not None and self.experts.top_k > self.experts.num_routed:
            raise ValueError(f"top {self.experts.top_k} of {self.experts.num_routed} experts")
        if self.experts is not None and self.experts.num_dense_layers > self.num_layers:
            raise ValueError(f"{self.experts.num_dense_layers} of {self.num_layers} layers cannot be dense")
        if not self.d_head and self.d_model % self.num_heads:
            raise ValueError(f"width {self.d_model} is no multiple of {self.num_heads} heads; say d_head")
        return self

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.d_head or self.d_model // self.num_heads

    @property
    def attention_parameters(self) -> int:
        """Of one layer's projections."""
        if self.latent is None:
            return self.d_model * self.head * (2 * self.num_heads + 2 * self.num_kv_heads)
        m = self.latent
        query = m.nope_dim + m.rope_dim
        queries = (
            self.d_model * m.q_rank + m.q_rank * self.num_heads * query
            if m.q_rank
            else self.d_model * self.num_heads * query
        )
        keys = self.d_model * (m.kv_rank + m.rope_dim) + m.kv_rank * self.num_heads * (m.nope_dim + m.v_dim)
        return queries + keys + self.num_heads * m.v_dim * self.d_model

    @property
    def score_widths(self) -> tuple[int, int]:
        """Widths over all heads of query-times-key and of probability-times-value."""
        if self.latent is None:
            return self.num_heads * self.head, self.num_heads * self.head
        return self.num_heads * (self.latent.nope_dim + self.latent.rope_dim), self.num_heads * self.latent.v_dim

    @property
    def kv_width(self) -> int:
        """Numbers kept per token and layer for the keys and values of earlier tokens."""
        if self.latent is not None:
            return self.latent.kv_rank + self.latent.rope_dim
        return 2 * self.num_kv_heads * self.head

    @property
    def num_matrices(self) -> int:
        """Matrices of a feed-forward part."""
        return 3 if self.gated else 2

    @property
    def expert_parameters(self) -> int:
        """Of one routed expert; 0 for a dense model."""
        return self.num_matrices * self.d_model * self.experts.d_ff if self.experts else 0

    @property
    def dense_parameters(self) -> int:
        """Of all layers, without routed experts, embeddings and head."""
        layers = self.num_layers * (self.attention_parameters + 2 * self.d_model) + self.d_model
        dense = self.num_matrices * self.d_model * self.d_ff
        if self.experts is None:
            return layers + self.num_layers * dense
        e = self.experts
        sparse = e.num_shared * self.expert_parameters + self.d_model * e.num_routed
        return layers + e.num_dense_layers * dense + (self.num_layers - e.num_dense_layers) * sparse

    @property
    def routed_parameters(self) -> int:
        """Of all routed experts."""
        if self.experts is None:
            return 0
        return (self.num_layers - self.experts.num_dense_layers) * self.experts.num_routed * self.expert_parameters

    @property
    def num_parameters(self) -> int:
        """All; tied embeddings count once."""
        tables = (1 if self.tied else 2) * self.vocabulary_size * self.d_model
        return self.dense_parameters + self.routed_parameters + tables

    @property
    def num_active_parameters(self) -> int:
        """That take part in the matrix products of one token: without the input table, with the chosen experts only."""
        active = self.dense_parameters + self.vocabulary_size * self.d_model
        if self.experts is not None:
            sparse = self.num_layers - self.experts.num_dense_layers
            active += sparse * self.experts.top_k * self.expert_parameters
        return active

    def attended(self, sequence: int) -> float:
        """Positions that a token attends to, mean over tokens and layers, causal."""
        full = sequence / 2
        if not self.window or self.window >= sequence:
            return full
        windowed = self.window - self.window * self.window / (2 * sequence)
        return (1 - self.window_share) * full + self.window_share * windowed

    def flops_per_token(self, sequence: int) -> float:
        """Model FLOPs to train on one token: 6 per active parameter and causal attention; no recomputation."""
        return 6.0 * self.num_active_parameters + 6.0 * self.num_layers * self.attended(sequence) * sum(
            self.score_widths
        )


def _dense(
    name: str, shape: tuple[int, int, int, int, int], vocabulary: int, sequence: int, source: str, *, tied: bool = False
) -> Model:
    layers, width, heads, kv_heads, d_ff = shape
    return Model(
        name=name, num_layers=layers, d_model=width, num_heads=heads, num_kv_heads=kv_heads, d_ff=d_ff,
        vocabulary_size=vocabulary, max_sequence=sequence, tied=tied, source=source,
    )  # fmt: skip


_LLAMA = "Llama Team 2024 (arXiv 2407.21783), table 3"
_DEEPSEEK = "DeepSeek-AI 2024 (arXiv 2412.19437), section 4.2"
MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        _dense("llama-2-7b", (32, 4096, 32, 32, 11008), 32000, 4096, "Touvron et al. 2023 (arXiv 2307.09288)"),
        _dense("llama-2-13b", (40, 5120, 40, 40, 13824), 32000, 4096, "Touvron et al. 2023 (arXiv 2307.09288)"),
        _dense("llama-2-70b", (80, 8192, 64, 8, 28672), 32000, 4096, "Touvron et al. 2023 (arXiv 2307.09288)"),
        _dense("llama-3-8b", (32, 4096, 32, 8, 14336), 128256, 8192, _LLAMA),
        _dense("llama-3-70b", (80, 8192, 64, 8, 28672), 128256, 8192, _LLAMA),
        _dense("llama-3-405b", (126, 16384, 128, 8, 53248), 128256, 8192, _LLAMA),
        Model(
            name="gpt-3-175b", num_layers=96, d_model=12288, num_heads=96, num_kv_heads=96, d_ff=49152, gated=False,
            vocabulary_size=51200, max_sequence=2048, tied=True,
            source="Brown et al. 2020 (arXiv 2005.14165), table 2.1",
        ),
        Model(
            name="deepseek-v3", num_layers=61, d_model=7168, num_heads=128, num_kv_heads=128, d_ff=18432,
            vocabulary_size=129280, max_sequence=4096, latent=Latent(kv_rank=512, q_rank=1536),
            experts=Experts(num_routed=256, num_shared=1, top_k=8, d_ff=2048, num_dense_layers=3), source=_DEEPSEEK,
        ),
        Model(
            name="mixtral-8x7b", num_layers=32, d_model=4096, num_heads=32, num_kv_heads=8, d_ff=14336,
            vocabulary_size=32000, max_sequence=32768, experts=Experts(num_routed=8, top_k=2, d_ff=14336),
            source="Jiang et al. 2024 (arXiv 2401.04088), table 1",
        ),
    )
}  # fmt: skip
"""Models by name."""
for _size, _shape in SIZES.items():
    MODELS[f"fucina-{_size.lower()}"] = _dense(
        f"fucina-{_size.lower()}",
        (_shape.num_layers, _shape.d_model, _shape.num_heads, _shape.num_kv_heads, _shape.d_ff),
        32768 if _shape.d_model >= 640 else 4096,
        2048,
        "the trainer's named sizes",
        tied=_shape.tied_embeddings,
    )


def own_size(name: str) -> str | None:
    """The trainer's name of a size, where a model is one of them."""
    return next((size for size in SIZES if name == f"fucina-{size.lower()}"), None)


def find_model(name: str) -> Model:
    """A model by name, or from a Hugging Face `config.json`.

    Raises UnknownModel, BadModel.
    """
    if name.lower() in MODELS:
        return MODELS[name.lower()]
    path = Path(name)
    if path.suffix == ".json":
        return read_config(path)
    if _holds_config(path):
        return read_config(path / "config.json")
    raise UnknownModel(
        f"There is no model {name[:200]!r}.",
        hint=f"Name one of {', '.join(sorted(MODELS))}, or give a config.json as Hugging Face models have it.",
    )


def _holds_config(folder: Path) -> bool:
    try:
        return (folder / "config.json").is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read_config(path: Path) -> Model:
    """A model from a Hugging Face configuration.

    Raises UnknownModel, BadModel.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        named = str(path)[:200]
        raise UnknownModel(f"{named} cannot be read: {error}.", hint="Give the path of a config.json.") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadModel(f"{path} is no JSON: {error}.", hint="Give the config.json beside a model's weights.") from error
    if not isinstance(found, dict):
        raise BadModel(f"{path} holds no object.", hint="Give the config.json beside a model's weights.")
    config = found.get("text_config", found)
    try:
        return Model(name=path.parent.name or path.stem, source=str(path), **_from_config(config))
    except (ValidationError, TypeError, KeyError, ValueError) as error:
        raise BadModel(
            f"{path} does not describe a decoder: {_first(error)}.",
            hint="It needs hidden_size, num_hidden_layers, num_attention_heads, intermediate_size and vocab_size.",
        ) from error


def _from_config(config: dict[str, Any]) -> dict[str, Any]:
    def first(*names: str, default: Any = None) -> Any:
        return next((config[name] for name in names if config.get(name) is not None), default)

    width = first("hidden_size", "n_embd", "d_model")
    heads = first("num_attention_heads", "n_head")
    if width is None or heads is None:
        raise KeyError("hidden_size and num_attention_heads")
    activation = str(first("hidden_act", "activation_function", default="silu"))
    plain = config.get("model_type") in {"gpt2", "gpt_neox", "opt", "bloom", "falcon", "mpt"}
    fields: dict[str, Any] = {
        "num_layers": first("num_hidden_layers", "n_layer"),
        "d_model": width,
        "num_heads": heads,
        "num_kv_heads": first("num_key_value_heads", default=heads),
        "d_ff": first("intermediate_size", "n_inner", default=4 * width),
        "d_head": first("head_dim", default=0),
        "gated": not plain and activation not in {"relu2", "relu"},
        "vocabulary_size": first("vocab_size"),
        "tied": bool(config.get("tie_word_embeddings", False)),
        "max_sequence": first("max_position_embeddings", "n_positions", default=4096),
    }
    num_experts = first("n_routed_experts", "num_local_experts", "num_experts")
    if num_experts:
        fields["experts"] = Experts(
            num_routed=num_experts,
            num_shared=first("n_shared_experts", default=0),
            top_k=first("num_experts_per_tok", default=1),
            d_ff=first("moe_intermediate_size", default=fields["d_ff"]),
            num_dense_layers=first("first_k_dense_replace", default=0),
        )
    if config.get("kv_lora_rank"):
        fields["latent"] = Latent(
            kv_rank=config["kv_lora_rank"],
            q_rank=config.get("q_lora_rank") or 0,
            rope_dim=config.get("qk_rope_head_dim", 64),
            nope_dim=config.get("qk_nope_head_dim", 128),
            v_dim=config.get("v_head_dim", 128),
        )
        fields["d_head"] = fields["d_head"] or fields["latent"].nope_dim
    return fields


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors()[0]
        return f"{'.'.join(str(part) for part in one['loc']) or 'the whole'}: {one['msg']}"
    return str(error)
