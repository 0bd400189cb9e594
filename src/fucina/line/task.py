"""A stage at work: its input, its folders, and the records of the stages before it."""

from pathlib import Path

from pydantic import ValidationError

from fucina.compute.place import ALONE, Place
from fucina.compute.record import Progress, StageRecord
from fucina.config import Settings
from fucina.errors import BadInput
from fucina.line.spec import StageName
from fucina.line.stage import RECORD_FILE, SCRATCH, STAGE_FILE, StageInput, out_of


class BadStageFile(BadInput):
    """The working directory holds no usable `stage.json` or `record.json`."""

    code = "bad_stage_file"


class MissingStage(BadInput):
    """An earlier stage has not left its record."""

    code = "missing_stage"


class StageTask:
    """One stage with everything that its function needs."""

    def __init__(
        self, workdir: Path, given: StageInput, settings: Settings, progress: Progress, *, place: Place = ALONE
    ) -> None:
        self.place = place
        self.workdir = workdir
        self.given = given
        self.settings = settings
        self.progress = progress
        self.out = out_of(workdir)
        self.scratch = workdir / SCRATCH

    def earlier(self, stage: StageName) -> Path:
        """The working directory of an earlier stage. Raises MissingStage."""
        folder = self.workdir / self.given.earlier.get(stage, f"../{stage}")
        if not (folder / RECORD_FILE).is_file():
            raise MissingStage(
                f"Stage {stage} has not finished: {folder / RECORD_FILE} is missing.", hint=f"Run {stage} first."
            )
        return folder

    def out_of(self, stage: StageName) -> Path:
        """The outputs of an earlier stage. Raises MissingStage."""
        return out_of(self.earlier(stage))

    def records(self, *stages: StageName) -> dict[str, StageRecord]:
        """Records of earlier stages. Raises MissingStage, BadStageFile."""
        return {str(stage): read_record(self.earlier(stage)) for stage in stages}


def read_record(workdir: Path) -> StageRecord:
    """The record of a finished stage. Raises BadStageFile."""
    path = workdir / RECORD_FILE
    try:
        return StageRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadStageFile(f"{path} cannot be used: {_first_fault(error)}.", hint="Run that stage again.") from error


def read_input(stage: StageName, workdir: Path) -> StageInput:
    """The frozen input of a stage. Raises BadStageFile."""
    path = workdir / STAGE_FILE
    try:
        given = StageInput.model_validate_json(path.read_bytes())
        given.parsed_recipe()
    except (OSError, ValidationError) as error:
        raise BadStageFile(
            f"{path} cannot be used: {_first_fault(error)}.",
            hint="`fucina workdirs PROJECT.yaml FOLDER` writes the five of a project.",
        ) from error
    if given.stage is not stage:
        raise BadStageFile(
            f"{path} is for stage {given.stage}, not {stage}.", hint=f"Run `fucina stage {given.stage} {workdir}`."
        )
    return given


def _first_fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
    return str(error)
