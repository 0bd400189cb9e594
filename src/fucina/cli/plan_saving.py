"""Keeps the answers of `fucina plan`: in a file, or at the hub, where the portal shows them side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

HUB = "hub:"
SaveOption = Annotated[
    str,
    typer.Option("--save", help="Keep the answer: in a file, or as hub:NAME among your scenarios in the portal."),
]


def keep(
    answer: "BaseModel", save: str, *, kind: str, question: str = "", options: dict[str, str] | None = None
) -> None:
    """Keep an answer where `--save` says; nowhere if that is empty. Raises BadInput, and what the hub refuses."""
    if not save:
        return
    if save.startswith(HUB):
        _to_hub(answer, save.removeprefix(HUB), kind, question, options or {})
        return
    from fucina.errors import BadInput

    try:
        Path(save).write_text(answer.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{save} cannot be written: {error}", hint="Choose another place.") from error


def _to_hub(answer: "BaseModel", name: str, kind: str, question: str, options: dict[str, str]) -> None:
    from pydantic import ValidationError

    from fucina.cli.runs import connect
    from fucina.client.wire_planning import ScenarioKind, ScenarioRequest
    from fucina.config import load_settings
    from fucina.errors import BadInput

    try:
        request = ScenarioRequest(
            name=name,
            kind=ScenarioKind(kind),
            question=question,
            options={option: value for option, value in options.items() if value},
            result=answer.model_dump(mode="json"),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", hint="Save it as hub:NAME, with a short name."
        ) from error
    with connect(load_settings()) as hub:
        hub.keep_scenario(request)
