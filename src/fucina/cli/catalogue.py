"""How the commands of the catalogue read a reference and print what the hub says."""

from typing import NamedTuple

from fucina.cli.output import out, say, table
from fucina.client.hub import Hub
from fucina.client.wire_data import (
    DataRequestInfo,
    DatasetDetail,
    ErasureInfo,
    SearchAnswer,
    VersionDiff,
)
from fucina.data.drift import Drift
from fucina.errors import BadInput
from fucina.units import format_bytes


class BadVersion(BadInput):
    """What should name a dataset, or one of its versions, does not."""

    code = "bad_version"


class Place(NamedTuple):
    """A dataset, or one version of it."""

    ref: str
    version: int | None


def place(text: str) -> Place:
    """`dat-...`, or `dat-...@3` for its third version. Raises BadVersion."""
    ref, at, number = text.partition("@")
    if at and not (number.isascii() and number.isdigit() and 0 < int(number) < 2**31):
        raise BadVersion(f"{text[:80]!r} names no version.", hint="Write the dataset's reference, @ and a number.")
    return Place(ref, int(number) if at else None)


def show_found(found: SearchAnswer) -> None:
    """Print a page of datasets and what to narrow by."""
    rows = [
        (
            one.ref,
            one.title,
            one.organisation,
            ", ".join(one.languages),
            ", ".join(one.licences),
            one.access,
            f"{one.num_documents:,}",
            f"{one.num_met}/{one.num_criteria}",
        )
        for one in found.datasets
    ]
    columns = ("dataset", "title", "organisation", "languages", "licences", "access", "documents", "AI-ready")
    table(f"{found.num_datasets:,} datasets", columns, rows, right=(6,))
    kinds = dict.fromkeys(facet.kind for facet in found.facets)
    for kind in kinds:
        told = [f"{facet.value} ({facet.num_datasets})" for facet in found.facets if facet.kind == kind]
        out.print(f"  {kind}: {', '.join(told[:12])}", soft_wrap=True, markup=False, style="dim")


def show_dataset(found: DatasetDetail) -> None:
    """Print a dataset with one version: badge, files, samples, versions, what one may do."""
    head = found.summary
    out.print(f"{head.title} ({head.ref}), {head.organisation}", soft_wrap=True, markup=False, style="bold")
    told = found.description
    if told is not None:
        out.print(told.description, soft_wrap=True, markup=False)
    say(f"Listing {head.listing}, access {head.access}, {head.sensitivity}; you may {_may(found)}.")
    if found.version is not None:
        version = found.version
        say(f"Version {version.version} of {version.created_at:%Y-%m-%d}, SHA-256 {version.sha256[:16]}…")
        if version.withdrawn_at is not None:
            out.print(f"Withdrawn: {version.withdrawn_because}", soft_wrap=True, markup=False, style="red")
    for mark in found.marks:
        out.print(f"  {'✓' if mark.met else '✗'} {mark.criterion}: {mark.evidence}", soft_wrap=True, markup=False)
    if told is not None and told.files:
        rows = [
            (
                file.path,
                str(file.role),
                format_bytes(file.num_bytes),
                file.licence,
                "yes" if file.path in found.held else "",
            )
            for file in told.files
        ]
        table("Files", ("path", "role", "size", "licence", "at the hub"), rows, right=(2,))
    for sample in found.samples:
        out.print(f"  [{sample.language}] {sample.text}", soft_wrap=True, markup=False, style="dim")
    if found.samples_hidden:
        say("There are samples; they are for those who have leave.")
    rows = [
        (str(v.version), f"{v.created_at:%Y-%m-%d}", f"{v.num_documents:,}", f"{v.num_met}/5", v.withdrawn_because)
        for v in found.versions
    ]
    table("Versions", ("version", "entered", "documents", "AI-ready", "withdrawn"), rows, right=(0, 2))


def _may(found: DatasetDetail) -> str:
    if not found.may_have:
        return "not have its files"
    until = f" until {found.leave_ends_at:%Y-%m-%d}" if found.leave_ends_at else ""
    return f"have its files{until}"


def show_requests(rows: list[DataRequestInfo]) -> None:
    """Print requests for data."""
    cells = [
        (
            row.ref,
            row.title,
            row.organisation,
            row.holder,
            row.state if row.revoked_at is None else "revoked",
            f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "",
            row.purpose if row.may_decide else row.reason,
        )
        for row in rows
    ]
    table("Requests for data", ("request", "dataset", "asks", "holder", "state", "until", "why"), cells)


def show_erasure(found: ErasureInfo) -> None:
    """Print what came of an erasure."""
    say(f"{found.ref}: {found.state}.")
    if found.problem is not None:
        out.print(f"  {found.problem.message} {found.problem.hint}", soft_wrap=True, markup=False, style="red")
    rows = [
        (
            str(f.version),
            f"{f.num_documents:,}" if f.searched else "not searched",
            ", ".join(f.releases),
            ", ".join(f.projects),
        )
        for f in found.findings
    ]
    if rows:
        table("", ("version", "documents", "releases trained on it", "staged in"), rows, right=(0, 1))
    if found.rebuilt is not None:
        say(f"Withdrawn: {', '.join(map(str, found.withdrawn))}. Built anew as version {found.rebuilt}.")


def show_diff(found: VersionDiff) -> None:
    """Print what changed between two versions of the hub."""
    rows = [(name, f"{before:,}", f"{after:,}", f"{after - before:+,}") for name, before, after in found.numbers]
    table(f"Version {found.before} and {found.after}", ("", "before", "after", "change"), rows, right=(1, 2, 3))
    show_drift(found.drift)
    for word, names in (("New", found.sources_added), ("Gone", found.sources_removed)):
        if names:
            out.print(f"{word} sources: {', '.join(names)}.", soft_wrap=True, markup=False)


def show_drift(found: tuple[Drift, ...]) -> None:
    """Print how far the make-up of two versions lies apart."""
    rows = [
        (
            one.of,
            f"{one.index:.4f}",
            one.verdict,
            ", ".join(f"{shift.name} {shift.before:.1%} → {shift.after:.1%}" for shift in one.shifts),
        )
        for one in found
    ]
    table("Drift (population stability index)", ("of", "index", "verdict", "what moved most"), rows, right=(1,))


def ask_for(hub: Hub, ref: str) -> str:
    """The one organisation of the person, where there is one. Raises BadInput."""
    names = hub.me().organisations
    if len(names) != 1:
        raise BadInput(
            f"You belong to {len(names)} organisations.", hint=f"Say for which one you ask for {ref}: --organisation."
        )
    return names[0]
