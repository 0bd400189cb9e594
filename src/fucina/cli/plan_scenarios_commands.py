"""`fucina plan scenarios`: what-if questions kept at the hub, on the group `fucina plan`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table
from fucina.cli.plan_slurm_commands import app

if TYPE_CHECKING:
    from fucina.client.hub import Hub
    from fucina.client.wire_planning import ScenarioInfo

__all__ = ["app"]


@app.command()
def scenarios(
    run: Annotated[Path | None, typer.Option(help="Have the hub simulate this scenario (YAML).")] = None,
    trace: Annotated[Path | None, typer.Option(help="Recorded jobs in place of its classes; .gz too.")] = None,
    name: Annotated[str, typer.Option(help="How to call it; else as its file.")] = "",
    fetch: Annotated[str, typer.Option(help="Print the question and answer of this one as JSON.")] = "",
    cancel: Annotated[str, typer.Option(help="End the simulation of this one.")] = "",
    delete: Annotated[str, typer.Option(help="Delete this one.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """List your scenarios at the hub; or have one simulated there, fetched, cancelled or deleted."""
    with speaking(form):
        from fucina.cli.runs import connect
        from fucina.config import load_settings
        from fucina.errors import BadInput

        if sum(map(bool, (run, fetch, cancel, delete))) > 1:
            raise BadInput("--run, --fetch, --cancel and --delete exclude each other.", hint="Give one of them.")
        if (trace or name) and run is None:
            raise BadInput("--trace and --name belong to --run.", hint="Give the scenario with --run FILE.")
        with connect(load_settings()) as hub:
            if run is not None:
                _run(hub, run, trace, name, form)
            elif fetch:
                show(hub.scenario(fetch), Format.JSON)
            elif cancel:
                found = hub.cancel_scenario(cancel)
                if not show(found, form):
                    say(f"{found.ref} is being ended.")
            elif delete:
                hub.drop_scenario(delete)
                say(f"{delete} is deleted.", form)
            else:
                _list(hub.scenarios(), form)


def _run(hub: "Hub", run: Path, trace: Path | None, name: str, form: Format) -> None:
    from pydantic import ValidationError

    from fucina.client.wire_planning import ScenarioRequest
    from fucina.errors import BadInput

    try:
        request = ScenarioRequest(name=name or run.stem, question=_text(run), trace=_text(trace) if trace else "")
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", hint="Shorten it.") from error
    found = hub.keep_scenario(request)
    if not show(found, form):
        say(f"{found.ref} waits for the hub's worker; `fucina plan scenarios` shows how far it is.")


def _text(path: Path) -> str:
    """The text of a file, unpacked where it is gzip. Raises BadInput."""
    import gzip
    import zlib

    from fucina.client.wire_planning import MAX_TRACE
    from fucina.errors import BadInput

    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            raw = file.read(MAX_TRACE + 1)
        if len(raw) > MAX_TRACE:
            raise BadInput(f"{path} is larger than {MAX_TRACE:,} bytes.", hint="Cut it into shorter traces.")
        return raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}", hint="Check the path.") from error


def _list(found: "list[ScenarioInfo]", form: Format) -> None:
    if show(found, form):
        return
    if not found:
        say("No scenarios yet. `fucina plan cluster --save hub:NAME` keeps an answer; --run FILE asks the hub.")
        return
    rows = [
        (s.ref, s.name, str(s.kind), str(s.state), f"{s.done:,} of {s.total:,}" if s.total else "–")
        for s in found
    ]  # fmt: skip
    table("Scenarios", ("reference", "name", "kind", "state", "jobs"), rows, right=(4,))
