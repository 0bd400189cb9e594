"""The `evaluate` stage."""

from fucina.compute.record import StageResult
from fucina.line.spec import StageName
from fucina.line.task import StageTask
from fucina.trust.evaluate import evaluate
from fucina.trust.recipe import EvaluateRecipe


def run(task: StageTask) -> StageResult:
    """Do the work of the stage."""
    recipe = EvaluateRecipe.model_validate(task.given.recipe)
    recipe = recipe.model_copy(update={"num_threads": recipe.num_threads or task.settings.num_threads})
    return evaluate(
        recipe,
        model=task.out_of(StageName.TRAIN) / "model",
        data=task.out_of(StageName.PREPARE),
        out=task.out,
        scratch=task.scratch,
        progress=task.progress,
    )
