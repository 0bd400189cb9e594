"""The stage contract: `stage.json` in, `out/` and `record.json` out, `progress.ndjson` meanwhile."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fucina.data.recipe import PrepareRecipe
from fucina.line.spec import StageName
from fucina.models.recipe import TrainRecipe
from fucina.trust.recipe import DocumentRecipe, EvaluateRecipe

STAGE_FILE = "stage.json"
RECORD_FILE = "record.json"
PROGRESS_FILE = "progress.ndjson"
ERROR_FILE = "error.json"
OUT = "out"
SCRATCH = "scratch"

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_FENCED = 74
"""Another process has taken the working directory over (EX_IOERR); nothing was written after that."""
EXIT_INTERRUPTED = 75
"""Stopped on request with its state saved (EX_TEMPFAIL): start it again."""


class ReleaseRecipe(BaseModel):
    """What `release` is asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    organisation: str
    run: str


Recipe = PrepareRecipe | TrainRecipe | EvaluateRecipe | DocumentRecipe | ReleaseRecipe

RECIPES: dict[StageName, type[BaseModel]] = {
    StageName.PREPARE: PrepareRecipe,
    StageName.TRAIN: TrainRecipe,
    StageName.EVALUATE: EvaluateRecipe,
    StageName.DOCUMENT: DocumentRecipe,
    StageName.RELEASE: ReleaseRecipe,
}


class StageInput(BaseModel):
    """`stage.json`, frozen when the job is placed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: StageName
    run: str
    recipe: dict[str, object]
    earlier: dict[StageName, str] = {}
    """Working directories of earlier stages, relative to this one."""
    num_gpus: int = 0
    power_w: float | None = None
    """Of one accelerator with its share of the node; for the energy estimate."""

    def parsed_recipe(self) -> BaseModel:
        """The recipe as its own type."""
        return RECIPES[self.stage].model_validate(self.recipe)


def out_of(workdir: Path) -> Path:
    """Where a stage's outputs lie."""
    return workdir / OUT
