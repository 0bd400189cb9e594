"""The `prepare` stage."""

from fucina.compute.record import StageResult
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe
from fucina.line.task import StageTask


def run(task: StageTask) -> StageResult:
    """Do the work of the stage."""
    recipe = PrepareRecipe.model_validate(task.given.recipe)
    return prepare(recipe, workdir=task.workdir, out=task.out, scratch=task.scratch, progress=task.progress)
