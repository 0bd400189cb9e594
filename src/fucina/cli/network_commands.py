"""`fucina network ...`: the AI Factories network as the hub's catalogue has it."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking

app = typer.Typer(help="The AI Factories network: who is where, with what, paid by whom.", no_args_is_help=True)

Country = Annotated[str, typer.Option(help="Two letters, such as IT.")]
Sector = Annotated[str, typer.Option(help="Such as health or manufacturing.")]
Language = Annotated[str, typer.Option(help="Two letters, such as el.")]
ServiceOption = Annotated[str, typer.Option(help="Such as inference or sensitive-data.")]
Accelerator = Annotated[str, typer.Option(help="Part of a maker's or a model's name, such as GH200.")]
StatusOption = Annotated[str, typer.Option(help="Such as operational or contract-signed.")]
Kind = Annotated[str, typer.Option(help="wave, fund, gigafactory, policy, support, tef or edih.")]
Shipped = Annotated[bool, typer.Option("--shipped", help="As this version of Fucina ships it, without asking a hub.")]


@app.command()
def factories(
    country: Country = "",
    sector: Sector = "",
    language: Language = "",
    service: ServiceOption = "",
    accelerator: Accelerator = "",
    status: StatusOption = "",
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """List AI Factories."""
    from fucina.cli.network import factory_rows, print_factories
    from fucina.network.catalogue_filter import wanted

    with speaking(form):
        wish = wanted(
            country=country,
            sector=sector,
            language=language,
            service=service,
            accelerator=accelerator,
            status=status,
        )
        found = factory_rows(wish, shipped=shipped)
        if not show(found, form):
            print_factories(found)


@app.command()
def factory(
    name: Annotated[str, typer.Argument(help="Id of a factory, such as it4lia.")],
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show one AI Factory, each fact with its sources."""
    from fucina.cli.network import one_factory, print_factory

    with speaking(form):
        found, sources = one_factory(name, shipped=shipped)
        if not show(found, form):
            print_factory(found, sources)


@app.command()
def antennas(
    country: Country = "",
    sector: Sector = "",
    language: Language = "",
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """List the antennas of factories."""
    from fucina.cli.network import antenna_rows, print_antennas
    from fucina.network.catalogue_filter import wanted

    with speaking(form):
        found = antenna_rows(wanted(country=country, sector=sector, language=language), shipped=shipped)
        if not show(found, form):
            print_antennas(found)


@app.command()
def systems(
    country: Country = "",
    accelerator: Accelerator = "",
    status: StatusOption = "",
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """List supercomputers with their accelerators, and quantum computers."""
    from fucina.cli.network import print_systems, system_rows
    from fucina.network.catalogue_filter import wanted

    with speaking(form):
        found = system_rows(wanted(country=country, accelerator=accelerator, status=status), shipped=shipped)
        if not show(found, form):
            print_systems(found)


@app.command()
def services(
    country: Country = "",
    sector: Sector = "",
    language: Language = "",
    service: ServiceOption = "",
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """List services and the factories that name them."""
    from fucina.cli.network import print_services, service_rows
    from fucina.network.catalogue_filter import wanted

    with speaking(form):
        wish = wanted(country=country, sector=sector, language=language, service=service)
        found = service_rows(wish, shipped=shipped)
        if not show(found, form):
            print_services(found)


@app.command()
def programmes(
    country: Country = "",
    sector: Sector = "",
    kind: Kind = "",
    shipped: Shipped = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """List money, law and help around the factories."""
    from fucina.cli.network import print_programmes, programme_rows
    from fucina.network.catalogue_filter import wanted

    with speaking(form):
        found = programme_rows(wanted(country=country, sector=sector, kind=kind), shipped=shipped)
        if not show(found, form):
            print_programmes(found)


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="A catalogue file; the shipped one shows how it looks.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Take a catalogue file in (staff); facts that were changed at the hub stay as they are."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings
    from fucina.network.catalogue import load_catalogue

    with speaking(form):
        catalogue = load_catalogue(file)
        with connect(load_settings()) as hub:
            done = hub.load_network_catalogue(catalogue)
        if not show(done, form):
            say(f"{done.version}: {done.num_added} new, {done.num_changed} changed, {done.num_withdrawn} withdrawn.")
            say(f"{done.num_edits} facts stay as they were changed here.")
