"""Writes docs/reference from the code: `python docs/generate.py`. A test fails when the pages are out of date."""

import importlib
import json
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import fucina
from fucina.cli.main import app
from fucina.cli.output import EXIT_CODES
from fucina.config import SECRETS, Settings
from fucina.errors import FactoryError
from fucina.line.spec import ComputeSpec, DataSpec, EvaluateSpec, ProjectSpec, Source, TrainSpec
from fucina.models.recipe import SIZES, num_parameters
from fucina.trust.recipe import GATES
from fucina.units import format_count

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code; do not edit. -->\n\n"


def project_file() -> str:
    """Every field of project.yaml."""
    parts = [
        ("", ProjectSpec), ("data", DataSpec), ("data.sources[]", Source), ("train", TrainSpec), ("evaluate", EvaluateSpec),
        ("compute", ComputeSpec),
    ]  # fmt: skip
    text = "# The project file\n\n`project.yaml` says who, why, and how. Only four fields have no default.\n"
    for name, model in parts:
        text += f"\n## {f'`{name}`' if name else 'At the top'}\n\n" + fields(model)
    text += "\n## Gates\n\n| gate | limit | meaning |\n|---|---|---|\n"
    text += "".join(f"| `{g.metric}` | {g.direction.replace('_', ' ')} | {g.meaning} |\n" for g in GATES.values())
    text += (
        "\n## Model sizes\n\n| size | layers | width | heads | parameters (vocabulary 4,096) |\n|---|--:|--:|--:|--:|\n"
    )
    for name, shape in SIZES.items():
        count = format_count(num_parameters(shape, vocabulary_size=4096))
        text += f"| `{name}` | {shape.num_layers} | {shape.d_model} | {shape.num_heads} | {count} |\n"
    return text


def fields(model: type[BaseModel]) -> str:
    """A table of a model's fields."""
    rows = "".join(
        f"| `{name}` | {default(field)} | {field.description or ''} |\n" for name, field in model.model_fields.items()
    )
    return "| field | default | meaning |\n|---|---|---|\n" + rows


def default(field: FieldInfo) -> str:
    """A default as it is written in a file."""
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, tuple):
        value = [str(item) for item in value]
    return f"`{json.dumps(value, default=str)}`"


def settings() -> str:
    """Every setting."""
    text = "# Settings\n\nFrom `fucina.toml` in the home folder (`FUCINA_HOME`, else `~/.fucina`) and from the environment, which wins.\n"
    text += "Unknown keys fail.\n\n| setting | variable | default | meaning |\n|---|---|---|---|\n"
    for name, field in Settings.model_fields.items():
        shown = "`~/.fucina`" if name == "home" else default(field)
        also = f", `FUCINA_{name.upper()}_FILE`" if name in SECRETS else ""
        text += f"| `{name}` | `FUCINA_{name.upper()}`{also} | {shown} | {field.description or ''} |\n"
    return text


def commands() -> str:
    """Every command with its options, and the exit codes."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    text = "# Commands\n\n`--format json` prints JSON; `fucina --install-completion` sets up the shell.\n"
    for name, command in sorted(group.commands.items()):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        usage = " ".join(
            [f"fucina {name}", *(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)]
        )
        text += f"\n## `{usage}`\n\n{command.help}\n"
        if arguments or options:
            text += "\n| | |\n|---|---|\n"
        for parameter in arguments:
            text += f"| `{parameter.name.upper()}` | {getattr(parameter, 'help', '') or ''} |\n"
        for parameter in options:
            text += f"| `{' '.join((*parameter.opts, *parameter.secondary_opts))}` | {getattr(parameter, 'help', '') or ''} |\n"
    text += "\n## Exit codes\n\n| code | meaning |\n|--:|---|\n| 0 | success |\n| 1 | a run failed, or a release does not verify |\n"
    seen: dict[int, list[str]] = {}
    for _, code, meaning in EXIT_CODES:
        seen.setdefault(code, []).append(meaning)
    text += "".join(f"| {code} | {'; '.join(meanings)} |\n" for code, meanings in seen.items())
    return (
        text
        + "| 75 | `fucina stage`: stopped on request with its state saved; start it again |\n| 130 | interrupted |\n"
    )


def modules() -> Iterator[str]:
    """Every module of the package that can be imported without side effects."""
    for module in pkgutil.walk_packages(fucina.__path__, "fucina."):
        if not module.name.endswith(("__main__", ".manage")) and ".migrations" not in module.name:
            yield module.name


def kinds_below(kind: type[FactoryError]) -> Iterator[type[FactoryError]]:
    """All errors of a kind."""
    for below in kind.__subclasses__():
        yield below
        yield from kinds_below(below)


def errors() -> str:
    """Every error code."""
    for name in modules():
        importlib.import_module(name)
    rows = {
        e.code: (e.__doc__ or "").strip().splitlines()[0]
        for e in kinds_below(FactoryError)
        if e.__module__.startswith("fucina.")
    }
    text = "# Error codes\n\nThe API, `error.json` of a stage and `--format json` have one shape: `code`, `message`, `hint`. Codes are stable.\n"
    return (
        text + "\n| code | meaning |\n|---|---|\n" + "".join(f"| `{code}` | {rows[code]} |\n" for code in sorted(rows))
    )


def routes() -> str:
    """Every route of the REST API."""
    from fucina.hub.api.routes import api

    text = "# REST API\n\nUnder `/api/v1`; a running hub serves the OpenAPI description at `/api/v1/openapi.json`.\n"
    text += "People and agents send `Authorization: Bearer TOKEN`.\n\n| method | path | |\n|---|---|---|\n"
    for path, methods in sorted(api.get_openapi_schema()["paths"].items()):
        for method, operation in methods.items():
            text += f"| `{method.upper()}` | `{path.removeprefix('/api/v1')}` | {operation.get('description') or operation['summary']} |\n"
    return text


def pages() -> dict[str, str]:
    """All pages by file name."""
    import django

    os.environ.setdefault("FUCINA_HOME", tempfile.mkdtemp())
    os.environ["DJANGO_SETTINGS_MODULE"] = "fucina.hub.settings"
    django.setup()
    made = {
        "project-file.md": project_file(), "settings.md": settings(), "commands.md": commands(), "errors.md": errors(), "api.md": routes()
    }  # fmt: skip
    return {name: NOTE + text for name, text in made.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"Wrote {folder}.\n")
