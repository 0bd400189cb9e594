import pytest
import torch
from torch import nn

from fucina.models.optimizer import _TABLE_RATE, Optimizer, learning_rate_at, orthogonalize
from fucina.models.recipe import TrainRecipe
from fucina.models.threads import Split, Workers

ALONE = Workers(Split(num_workers=1, num_threads_each=1))
RECIPE = TrainRecipe(warmup_share=0.1, decay_share=0.3)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 16, 64), (2, 64, 16), (1, 20, 1)])
def test_orthogonalize_brings_singular_values_near_one(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    result = orthogonalize(matrices).float()

    values = torch.linalg.svdvals(result)
    assert result.shape == shape
    assert values.max() < 1.35
    assert values.median() > 0.6


def test_orthogonalize_keeps_directions() -> None:
    left, _, right = torch.linalg.svd(torch.randn(24, 24, generator=torch.Generator().manual_seed(0)))
    matrix = left @ torch.diag(torch.linspace(0.5, 2, 24)) @ right

    result = orthogonalize(matrix[None])[0].float()

    exact = left @ right
    assert float((result * exact).sum() / (result.norm() * exact.norm())) > 0.97


def test_orthogonalize_leaves_zero_at_zero() -> None:
    assert (orthogonalize(torch.zeros(2, 8, 4)) == 0).all()


def test_the_rate_warms_up_holds_and_decays() -> None:
    rates = [learning_rate_at(step, num_steps=100, recipe=RECIPE, peak=1.0) for step in range(100)]

    assert rates[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert rates[10:70] == [1.0] * 60
    assert rates[70:] == sorted(rates[70:], reverse=True)
    assert 0 < rates[-1] < 0.05


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_the_shortest_runs_still_learn(num_steps: int) -> None:
    rates = [learning_rate_at(step, num_steps=num_steps, recipe=RECIPE, peak=1.0) for step in range(num_steps)]

    assert all(0 < rate <= 1 for rate in rates)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Parameter(torch.randn(6, 4))
        self.layers = nn.ModuleList([nn.Linear(4, 8, bias=False), nn.Linear(8, 4, bias=False)])
        self.norm = nn.Parameter(torch.ones(4))


def gradients_of(model: nn.Module, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(weight.shape, generator=generator).to(weight.dtype) for weight in model.parameters()]


def give_gradients(model: nn.Module, seed: int) -> None:
    for weight, gradient in zip(model.parameters(), gradients_of(model, seed), strict=True):
        weight.grad = gradient


def test_adamw_is_that_of_torch() -> None:
    recipe = TrainRecipe(optimizer="adamw", gradient_clip=1e9)
    ours, theirs = Tiny(), Tiny()
    optimizer = Optimizer(ours.named_parameters(), recipe=recipe, weight_decay=0.0)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(4):
        give_gradients(theirs, step)
        optimizer.accumulate(gradients_of(ours, step))
        optimizer.update(step=step, learning_rate=0.01, gradient_norm=optimizer.gradient_norm(), workers=ALONE)
        reference.step()

    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter, theirs.get_parameter(name), rtol=1e-4, atol=1e-5)


def test_muon_is_that_of_torch() -> None:
    recipe = TrainRecipe(gradient_clip=1e9)
    ours, theirs = Tiny(), Tiny()
    optimizer = Optimizer(ours.named_parameters(), recipe=recipe, weight_decay=0.1)
    reference = torch.optim.Muon(
        theirs.layers.parameters(), lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(4):
        give_gradients(theirs, step)
        optimizer.accumulate(gradients_of(ours, step))
        optimizer.update(step=step, learning_rate=0.01, gradient_norm=optimizer.gradient_norm(), workers=ALONE)
        reference.step()

    for name, parameter in ours.layers.named_parameters():
        torch.testing.assert_close(parameter, theirs.layers.get_parameter(name), rtol=2e-2, atol=2e-3)


def test_beside_muon_tables_learn_with_adamw_and_faster() -> None:
    recipe = TrainRecipe(gradient_clip=1e9)
    ours, theirs = Tiny(), Tiny()
    optimizer = Optimizer(ours.named_parameters(), recipe=recipe, weight_decay=0.0)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01 * _TABLE_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    give_gradients(theirs, 0)
    optimizer.accumulate(gradients_of(ours, 0))
    optimizer.update(step=0, learning_rate=0.01, gradient_norm=optimizer.gradient_norm(), workers=ALONE)
    reference.step()

    torch.testing.assert_close(ours.table, theirs.table, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.norm, theirs.norm, rtol=1e-4, atol=1e-5)


def test_masters_keep_what_half_precision_would_lose() -> None:
    model = Tiny().bfloat16()
    optimizer = Optimizer(model.named_parameters(), recipe=TrainRecipe(optimizer="adamw"), weight_decay=0.0)
    before = optimizer.masters["norm"].clone()
    for step in range(8):
        optimizer.accumulate(gradients_of(model, 0))
        optimizer.update(step=step, learning_rate=1e-4, gradient_norm=optimizer.gradient_norm(), workers=ALONE)

    assert (optimizer.masters["norm"] != before).all()
    assert torch.equal(model.norm, optimizer.masters["norm"].bfloat16())


def test_gradients_of_several_passes_add_up_and_are_clipped() -> None:
    model = Tiny()
    optimizer = Optimizer(model.named_parameters(), recipe=TrainRecipe(), weight_decay=0.0)
    gradients = gradients_of(model, 0)
    once = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
    before = optimizer.masters["norm"].clone()
    optimizer.accumulate(gradients)
    optimizer.accumulate(gradients)

    norm = optimizer.gradient_norm()
    optimizer.update(step=0, learning_rate=0.01, gradient_norm=norm, workers=ALONE)

    assert norm == pytest.approx(2 * once, rel=1e-5)
    assert not torch.equal(optimizer.masters["norm"], before)
    with pytest.raises(RuntimeError):
        optimizer.gradient_norm()


def test_a_state_of_another_model_is_refused() -> None:
    optimizer = Optimizer(Tiny().named_parameters(), recipe=TrainRecipe(), weight_decay=0.0)

    with pytest.raises(KeyError, match="tensors differ"):
        optimizer.load({"weight/other": torch.zeros(1)})
