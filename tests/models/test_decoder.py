import pytest
import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM

from fucina.models import decoder, kernels
from fucina.models.recipe import Shape

SHAPES = {
    "plain": Shape(num_layers=2, d_model=32, num_heads=2, num_kv_heads=2, d_ff=48),
    "grouped": Shape(num_layers=2, d_model=32, num_heads=4, num_kv_heads=2, d_ff=48, tied_embeddings=False),
}
VOCABULARY_SIZE = 50
LENGTH = 24
CPU = torch.device("cpu")


def config(shape: Shape):
    return decoder.config_for(shape, vocabulary_size=VOCABULARY_SIZE, sequence_length=LENGTH, end_token=0)


def build(shape: Shape) -> LlamaForCausalLM:
    return decoder.build(config(shape), seed=3, dtype=torch.float32, device=CPU)


def batch(num_rows: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, VOCABULARY_SIZE, (2, num_rows, LENGTH), generator=generator)
    return tokens[0], tokens[1]


def positions(*lengths: int) -> torch.Tensor:
    return torch.cat([torch.arange(length) for length in lengths])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("queries_at_once", [7, 24, 128])
def test_loss_and_gradients_are_those_of_the_stock_model(shape, queries_at_once, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "_QUERIES_AT_ONCE", queries_at_once)
    monkeypatch.setattr(kernels, "_LOGITS_AT_ONCE", 10 * VOCABULARY_SIZE)
    ours = build(shape)
    stock = LlamaForCausalLM(config(shape))
    stock.load_state_dict(ours.state_dict())
    inputs, labels = batch()
    place = torch.arange(LENGTH).expand(3, -1)

    loss = decoder.loss_sum(ours, inputs, labels, place)
    expected = F.cross_entropy(stock(inputs).logits.flatten(0, 1), labels.flatten(), reduction="sum")
    loss.backward()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    theirs = dict(stock.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(
            parameter.grad, theirs[name].grad, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_kernels_have_the_gradients_of_their_functions() -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    angle = torch.rand(2, 5, 1, 2, generator=generator, dtype=torch.float64)
    mask = decoder.packing_mask(torch.stack([positions(5), positions(2, 3)]), dtype=torch.float64)
    attention = (random(2, 5, 2, 4), random(2, 5, 2, 4), random(2, 5, 2, 4), angle.cos(), angle.sin(), mask)

    assert torch.autograd.gradcheck(kernels.PackedAttention.apply, attention)
    assert torch.autograd.gradcheck(
        kernels.RootMeanSquareNorm.apply, (random(6, 4), random(4), 1e-5), atol=1e-5, rtol=1e-3, eps=1e-5
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_document_does_not_see_the_others_in_its_row(dtype: torch.dtype) -> None:
    model = decoder.build(config(SHAPES["plain"]), seed=3, dtype=dtype, device=CPU)
    inputs, labels = batch(2)
    place = torch.stack([positions(10, 8, 6), positions(24)])
    changed = inputs.clone()
    changed[0, :10] = (changed[0, :10] + 1) % VOCABULARY_SIZE
    changed[0, 18:] = (changed[0, 18:] + 1) % VOCABULARY_SIZE

    def hidden(tokens: torch.Tensor) -> torch.Tensor:
        mask = decoder.packing_mask(place, dtype=dtype)
        return model.model(tokens, attention_mask=mask, position_ids=place, use_cache=False).last_hidden_state

    with torch.no_grad():
        before, after = hidden(inputs), hidden(changed)

    assert torch.equal(before[0, 10:18], after[0, 10:18])
    assert torch.equal(before[1], after[1])
    assert (before[0, :10] != after[0, :10]).any(-1).all()


def test_a_packed_document_scores_as_it_does_alone() -> None:
    model = build(SHAPES["plain"])
    inputs, labels = batch(1)
    with torch.no_grad():
        packed = decoder.loss_sum(model, inputs, labels, positions(10, 14)[None])
        first = decoder.loss_sum(model, inputs[:, :10], labels[:, :10], positions(10)[None])
        second = decoder.loss_sum(model, inputs[:, 10:], labels[:, 10:], positions(14)[None])

    assert float(packed) == pytest.approx(float(first + second), rel=1e-5)


def test_no_token_sees_the_future() -> None:
    model = build(SHAPES["plain"])
    inputs, _ = batch(1)
    changed = inputs.clone()
    changed[0, 12:] = (changed[0, 12:] + 1) % VOCABULARY_SIZE
    place = positions(24)[None]
    mask = decoder.packing_mask(place, dtype=torch.float32)

    with torch.no_grad():
        before, after = (
            model.model(tokens, attention_mask=mask, position_ids=place, use_cache=False).last_hidden_state
            for tokens in (inputs, changed)
        )

    assert torch.equal(before[0, :12], after[0, :12])


def test_only_the_seed_decides_fresh_weights() -> None:
    first = build(SHAPES["plain"]).state_dict()
    torch.rand(7)
    again = build(SHAPES["plain"]).state_dict()
    other = decoder.build(config(SHAPES["plain"]), seed=4, dtype=torch.float32, device=CPU).state_dict()

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])
