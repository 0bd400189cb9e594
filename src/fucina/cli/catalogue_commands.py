"""`fucina data ...` for the catalogue of the hub: find, ask, grant, publish, download, stage, erase."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, out, say, show, speaking

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Its reference; @3 behind it for version 3.")]
RequestArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="Reference of a request for data.")]
ReasonOption = Annotated[str, typer.Option(help="Why; who asked reads it.")]


def search(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for; all of it has to be there.")] = None,
    language: Annotated[str, typer.Option(help="ISO 639-1 code.")] = "",
    licence: Annotated[str, typer.Option(help="As the list shows it.")] = "",
    theme: Annotated[str, typer.Option(help="Data theme of the EU, such as HEAL.")] = "",
    access: Annotated[str, typer.Option(help="open, request or closed.")] = "",
    sensitivity: Annotated[str, typer.Option(help="public, internal or sensitive.")] = "",
    size: Annotated[str, typer.Option(help="As the list shows it.")] = "",
    quality: Annotated[str, typer.Option(help="Criteria met, 0 to 5.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 25,
    form: FormatOption = Format.TEXT,
) -> None:
    """Find datasets that you may see, with how many have each language, licence, theme and so on."""
    from fucina.cli.catalogue import show_found
    from fucina.cli.runs import connect
    from fucina.client.wire_data import DataWish
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        wish = DataWish(
            words=" ".join(words or ())[:500],
            language=language[:16],
            licence=licence[:200],
            theme=theme[:16],
            access=access[:16],
            sensitivity=sensitivity[:16],
            size=size[:16],
            quality=quality[:16],
        )
        found = hub.search_data(wish, limit=limit)
        if not show(found, form):
            show_found(found)


def show_one(dataset: DatasetArgument, form: FormatOption = Format.TEXT) -> None:
    """Show a dataset: its badge with the evidence, files, samples, versions and what you may do."""
    from fucina.cli.catalogue import place, show_dataset
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        ref, version = place(dataset)
        found = hub.dataset(ref, version=version)
        if not show(found, form):
            show_dataset(found)


def publish(
    folder: Annotated[Path, typer.Argument(help="A folder that `fucina data prepare` wrote.")],
    about: Annotated[Path, typer.Argument(metavar="ABOUT.yaml", help="Organisation, name, title, description, ...")],
    send: Annotated[
        bool, typer.Option("--send/--keep", help="Send the documents, or only what is told of them.")
    ] = True,
    form: FormatOption = Format.TEXT,
) -> None:
    """Enter a prepared folder as a version of a dataset; the same folder again is the version that there is."""
    from fucina.cli.catalogue import show_dataset
    from fucina.cli.data_transfer import publish as enter
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        made = enter(hub, folder, about, send=send)
        if not show(made, form):
            show_dataset(made)


def policy(
    dataset: DatasetArgument,
    listing: Annotated[str, typer.Option(help="private, factory or public.")],
    access: Annotated[str, typer.Option(help="open, request or closed.")],
    sensitivity: Annotated[str, typer.Option(help="public, internal or sensitive.")],
    terms: Annotated[Path | None, typer.Option(help="File with what who asks agrees to.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Say anew who finds a dataset and who may have it (owners)."""
    from pydantic import ValidationError

    from fucina.cli.catalogue import BadVersion, place
    from fucina.cli.runs import connect
    from fucina.client.wire_data import Policy
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        try:
            wanted = Policy.model_validate(
                {
                    "listing": listing,
                    "access": access,
                    "sensitivity": sensitivity,
                    "terms": terms.read_text(encoding="utf-8") if terms else "",
                }
            )
        except (ValidationError, OSError, UnicodeDecodeError) as error:
            raise BadVersion(f"This is no policy: {str(error).splitlines()[0]}", hint="See --help.") from error
        made = hub.change_data_policy(place(dataset).ref, wanted)
        if not show(made, form):
            say(f"{made.title}: listing {made.listing}, access {made.access}, {made.sensitivity}.")


def request(
    dataset: DatasetArgument,
    purpose: Annotated[str, typer.Option(help="What it is for; the holder reads it.")],
    organisation: Annotated[str, typer.Option(help="On whose behalf; needed when you belong to several.")] = "",
    agree: Annotated[bool, typer.Option("--agree", help="Agree to the terms that `show` prints.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Ask for a dataset on behalf of your organisation."""
    from fucina.cli.catalogue import ask_for, place, show_requests
    from fucina.cli.runs import connect
    from fucina.client.wire_data import DataAccessAsk
    from fucina.config import load_settings
    from fucina.errors import BadInput

    with speaking(form), connect(load_settings()) as hub:
        ref = place(dataset).ref
        if not 10 <= len(purpose) <= 4000:
            raise BadInput("The purpose has fewer than 10 or more than 4,000 characters.", hint="Write a sentence.")
        asked = DataAccessAsk(organisation=organisation or ask_for(hub, ref), purpose=purpose, agrees=agree)
        made = hub.request_data(ref, asked)
        if not show(made, form):
            show_requests([made])


def requests(form: FormatOption = Format.TEXT) -> None:
    """List requests that your organisations made, and those for their data."""
    from fucina.cli.catalogue import show_requests
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.data_requests()
        if not show(found, form):
            show_requests(found)


def grant(
    request: RequestArgument,
    reason: ReasonOption,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the grant lasts.")] = 365,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse instead.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Grant a request for your organisation's data, or reject it (owners)."""
    from fucina.cli.catalogue import show_requests
    from fucina.cli.runs import connect
    from fucina.client.wire_data import DataDecision
    from fucina.config import load_settings
    from fucina.errors import BadInput

    with speaking(form), connect(load_settings()) as hub:
        if not 3 <= len(reason) <= 4000:
            raise BadInput("The reason has fewer than 3 or more than 4,000 characters.", hint="Write it in words.")
        made = hub.decide_data_request(request, DataDecision(granted=not reject, reason=reason, days=days))
        if not show(made, form):
            show_requests([made])


def revoke(request: RequestArgument, form: FormatOption = Format.TEXT) -> None:
    """End what a request was granted, now (owners)."""
    from fucina.cli.catalogue import show_requests
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        made = hub.revoke_data_grant(request)
        if not show(made, form):
            show_requests([made])


def download(
    dataset: DatasetArgument,
    folder: Annotated[Path, typer.Option("--to", help="Where to; it is made when it is not there.")] = Path(),
    form: FormatOption = Format.TEXT,
) -> None:
    """Bring the files of a version here, each compared with its digest; goes on after an interruption."""
    from fucina.cli.catalogue import place
    from fucina.cli.data_transfer import download as bring
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        ref, version = place(dataset)
        for target in bring(hub, ref, version, folder):
            say(str(target), form)


def stage(
    dataset: DatasetArgument,
    project: Annotated[str, typer.Argument(help="Project reference.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Put the files of a version into a project's folder, for its jobs at any site; nothing is copied."""
    from fucina.cli.catalogue import place
    from fucina.cli.runs import connect
    from fucina.client.wire_data import StageRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        ref, version = place(dataset)
        number = version or hub.dataset(ref).summary.version
        made = hub.stage_dataset(ref, number, StageRequest(project=project))
        if not show(made, form):
            for path in made.paths:
                out.print(path, markup=False, soft_wrap=True)


def withdraw(dataset: DatasetArgument, reason: ReasonOption, form: FormatOption = Format.TEXT) -> None:
    """Take a version back: it is told of and no longer given (owners)."""
    from fucina.cli.catalogue import BadVersion, place, show_dataset
    from fucina.cli.runs import connect
    from fucina.client.wire_data import WithdrawRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        ref, version = place(dataset)
        if version is None or not 3 <= len(reason) <= 4000:
            raise BadVersion("A version and a reason are needed.", hint=f"Write {ref}@1 --reason 'Why'.")
        made = hub.withdraw_dataset(ref, version, WithdrawRequest(reason=reason))
        if not show(made, form):
            show_dataset(made)


def erase(
    dataset: DatasetArgument,
    document: Annotated[str, typer.Option(help="Id of a document, as the documents have it.")] = "",
    person: Annotated[str, typer.Option(help="A name, as the text has it.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Ask that a document, or what is said of a person, leaves a dataset: found, withdrawn, built anew (owners)."""
    from fucina.cli.catalogue import place, show_erasure
    from fucina.cli.runs import connect
    from fucina.client.wire_data import ErasureRequest
    from fucina.config import load_settings
    from fucina.errors import BadInput

    with speaking(form), connect(load_settings()) as hub:
        sought = document or person
        if bool(document) == bool(person) or not 3 <= len(sought) <= 500:
            raise BadInput("Give --document or --person, of 3 to 500 characters.", hint="One at a time.")
        kind = "document" if document else "person"
        made = hub.erase_data(place(dataset).ref, ErasureRequest.model_validate({"kind": kind, "sought": sought}))
        if not show(made, form):
            show_erasure(made)
            say(f"The worker does it; look at `fucina data erasure {made.ref}`.")


def erasure(
    erasure: Annotated[str, typer.Argument(help="Reference of an erasure.")], form: FormatOption = Format.TEXT
) -> None:
    """Show what came of an erasure: versions, releases and projects that had it, and the version without it."""
    from fucina.cli.catalogue import show_erasure
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.erasure(erasure)
        if not show(found, form):
            show_erasure(found)


def print_card(version: str, *, croissant: bool, form: Format) -> None:
    """The card of a version at the hub."""
    import json
    import sys

    from fucina.cli.catalogue import place, show_dataset
    from fucina.cli.runs import connect
    from fucina.config import load_settings
    from fucina.data.croissant import croissant_of

    with connect(load_settings()) as hub:
        ref, number = place(version)
        found = hub.dataset(ref, version=number)
        if croissant and found.description is not None:
            sys.stdout.write(json.dumps(croissant_of(found.description), indent=1, ensure_ascii=False) + "\n")
        elif not show(found, form):
            show_dataset(found)


def print_diff(before: str, after: str, *, form: Format) -> None:
    """What changed between two versions of one dataset at the hub. Raises BadVersion."""
    from fucina.cli.catalogue import BadVersion, place, show_diff
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with connect(load_settings()) as hub:
        (ref, first), (other, second) = place(before), place(after)
        if ref != other or first is None or second is None:
            raise BadVersion("Two versions of one dataset are compared.", hint=f"Write {ref}@1 {ref}@2.")
        found = hub.diff_dataset(ref, first, second)
        if not show(found, form):
            show_diff(found)


def add_to(app: typer.Typer) -> None:
    """Add the commands of the catalogue to `fucina data`."""
    for command in (search, publish, policy, request, requests, grant, revoke, download, stage, withdraw, erase):
        app.command()(command)
    app.command()(erasure)
    app.command(name="show")(show_one)
