"""Reads `project.yaml`: every fault is said with its line and field, never as a traceback."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from fucina.errors import BadInput
from fucina.line.spec import ProjectSpec
from fucina.models.recipe import UnknownSize, shape_for

MAX_BYTES = 1 << 20
"""A project file is written by hand; a larger one is something else."""

Loc = tuple[int | str, ...]


class BadProjectFile(BadInput):
    """The project file cannot be used."""

    code = "bad_project_file"


def load_project(path: Path) -> ProjectSpec:
    """The project in `path`.

    Raises BadProjectFile with the file, the line, the field and what to do.
    """
    text = _read(path)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadProjectFile(f"{path} uses YAML aliases (*name).", hint="Write the value out where it is needed.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadProjectFile(
            f"{path}, line {line}: {error.problem}.", hint="It is not YAML; mind indentation and colons."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadProjectFile(
            f"{path} is not YAML: {str(error).splitlines()[0]}.", hint="Compare it with examples/."
        ) from error
    if not isinstance(value, dict) or node is None:
        raise BadProjectFile(
            f"{path} holds no fields.", hint="Begin with `name: my-project`; compare it with examples/."
        )
    lines = _lines(node)
    try:
        spec = ProjectSpec.model_validate(value)
    except ValidationError as error:
        raise _explain(path, error, lines) from error
    try:
        shape_for(spec.train.size)
    except UnknownSize as error:
        line = lines.get(("train", "size"), 1)
        raise BadProjectFile(f"{path}, line {line}, train.size: {error.message}", hint=error.hint) from error
    return spec


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadProjectFile(
                f"{path} has {path.stat().st_size} bytes; a project file has at most {MAX_BYTES}.",
                hint="Give project.yaml.",
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadProjectFile(f"There is no file {path}.", hint="Give the path of a project.yaml.") from error
    except IsADirectoryError as error:
        raise BadProjectFile(f"{path} is a directory.", hint=f"Try {path / 'project.yaml'}.") from error
    except UnicodeDecodeError as error:
        raise BadProjectFile(f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise BadProjectFile(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error


def _lines(node: yaml.Node, loc: Loc = ()) -> dict[Loc, int]:
    """Line number, from 1, of every field."""
    found: dict[Loc, int] = {loc: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            below = (*loc, str(key.value))
            found |= _lines(child, below)
            found[below] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            found |= _lines(child, (*loc, position))
    return found


def _explain(path: Path, error: ValidationError, lines: dict[Loc, int]) -> BadProjectFile:
    faults = [_fault(fault, lines) for fault in error.errors(include_url=False)]
    faults.sort(key=lambda fault: fault[0])
    line, message, hint = faults[0]
    more = f" {len(faults) - 1} more after it." if len(faults) > 1 else ""
    return BadProjectFile(f"{path}, line {line}, {message}{more}", hint=hint)


def _fault(fault: Any, lines: dict[Loc, int]) -> tuple[int, str, str]:
    """Line, message and hint of one validation error."""
    loc: Loc = tuple(fault["loc"])
    at = loc
    while at and at not in lines:
        at = at[:-1]
    field = ".".join(str(part) for part in loc)
    known = _fields_of(loc[:-1])
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"The fields here are {', '.join(known)}."
        return lines.get(at, 1), f"{field}: unknown key.", hint
    if fault["type"] == "missing":
        return lines.get(at, 1), f"{field}: missing.", f"Add `{loc[-1]}:`."
    message = str(fault["msg"]).removeprefix("Value error, ")
    return (
        lines.get(at, 1),
        f"{field}: {message[:1].lower()}{message[1:]}; it is {fault['input']!r:.80}.",
        "See docs/reference/project-file.md.",
    )


def _fields_of(loc: Loc) -> list[str]:
    """Names of the fields of the part of a project file at `loc`."""
    model: Any = ProjectSpec
    for part in loc:
        if isinstance(part, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        annotation: Any = model.model_fields[part].annotation if part in model.model_fields else None
        model = _model_in(annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in getattr(annotation, "__args__", ()) if (found := _model_in(inner))), None)
