"""The `release` stage."""

from fucina.compute.record import StageResult
from fucina.line.release import build
from fucina.line.spec import StageName
from fucina.line.stage import ReleaseRecipe
from fucina.line.task import StageTask


def run(task: StageTask) -> StageResult:
    """Do the work of the stage."""
    recipe = ReleaseRecipe.model_validate(task.given.recipe)
    return build(
        recipe,
        records=task.records(StageName.PREPARE, StageName.TRAIN, StageName.EVALUATE, StageName.DOCUMENT),
        data=task.out_of(StageName.PREPARE),
        train=task.out_of(StageName.TRAIN),
        evaluation=task.out_of(StageName.EVALUATE),
        documents=task.out_of(StageName.DOCUMENT),
        out=task.out,
        scratch=task.scratch,
        signing_key=task.settings.private_key,
        progress=task.progress,
    )
