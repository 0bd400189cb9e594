"""The `document` stage."""

from fucina.compute.record import StageResult
from fucina.line.spec import StageName
from fucina.line.task import StageTask
from fucina.trust.document import document
from fucina.trust.recipe import DocumentRecipe


def run(task: StageTask) -> StageResult:
    """Do the work of the stage."""
    recipe = DocumentRecipe.model_validate(task.given.recipe)
    return document(
        recipe,
        records=task.records(StageName.PREPARE, StageName.TRAIN, StageName.EVALUATE),
        data=task.out_of(StageName.PREPARE),
        train=task.out_of(StageName.TRAIN),
        evaluation=task.out_of(StageName.EVALUATE),
        out=task.out,
        scratch=task.scratch,
        progress=task.progress,
    )
