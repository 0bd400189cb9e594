"""The `train` stage."""

from fucina.compute.record import StageResult
from fucina.line.spec import StageName
from fucina.line.task import StageTask
from fucina.models.recipe import TrainRecipe
from fucina.models.train import train


def run(task: StageTask) -> StageResult:
    """Do the work of the stage."""
    recipe = TrainRecipe.model_validate(task.given.recipe)
    recipe = recipe.model_copy(update={"num_threads": recipe.num_threads or task.settings.num_threads})
    data = task.out_of(StageName.PREPARE)
    return train(recipe, data=data, out=task.out, scratch=task.scratch, progress=task.progress, place=task.place)
