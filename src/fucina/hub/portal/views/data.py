"""The catalogue of data: found by words and facets, and one dataset with what one may know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from fucina.client.wire_data import DatasetDetail, DatasetSummary, DataWish, FacetCount
from fucina.data.description import FileInfo
from fucina.errors import BadInput
from fucina.hub.data.catalogue import FACETS, search
from fucina.hub.data.read import detail, find_dataset, summary
from fucina.hub.people.models import Person
from fucina.hub.portal.data_facts import FACET_LABELS, word
from fucina.hub.portal.door import page, public
from fucina.hub.portal.paging import Turn, turn_to

PLACE = "data"
MAX_FILES_SHOWN = 200


class BadWish(BadInput):
    """What is looked for is too long, or no version at all."""

    code = "bad_wish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a facet, with how many datasets have it."""

    value: str
    label: str
    num: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A facet with its values."""

    name: str
    label: str | Promise
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A dataset in the list."""

    dataset: DatasetSummary
    languages: tuple[str, ...]
    access: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPage:
    """The list with what to narrow by."""

    words: str
    facets: tuple[Facet, ...]
    rows: tuple[Row, ...]
    turn: Turn
    num: int
    is_filtered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file of a dataset."""

    file: FileInfo
    role: str
    address: str
    """Where it is downloaded; empty when it is not here, or not for this person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPage:
    """One dataset."""

    found: DatasetDetail
    access: str
    sensitivity: str
    listing: str
    themes: tuple[str, ...]
    languages: tuple[str, ...]
    marks: tuple[tuple[str, str, str], ...]
    """Name, state and evidence of each criterion."""
    files: tuple[FileRow, ...]
    num_files_more: int
    may_ask: bool
    is_newest: bool
    command: str


def reader(request: HttpRequest) -> Person | None:
    """Who reads; None for nobody."""
    return request.user if isinstance(request.user, Person) else None


@require_safe
@public
def index(request: HttpRequest) -> HttpResponse:
    """What fits, best or newest first."""
    wish = _wish(request)
    found = search(wish, person=reader(request))
    rows, turn = turn_to(request, found.rows)
    told = [summary(row) for row in rows]
    context = DataPage(
        words=wish.words,
        facets=tuple(_facet(name, getattr(wish, name), found.facets) for name in FACETS),
        rows=tuple(
            Row(
                dataset=one,
                languages=tuple(word("language", code) for code in one.languages),
                access=word("access", one.access),
            )
            for one in told
        ),
        turn=turn,
        num=sum(facet.num_datasets for facet in found.facets if facet.kind == "sensitivity"),
        is_filtered=any(wish.model_dump().values()),
    )
    return page(request, "portal/data.html", context, place=PLACE)


def _wish(request: HttpRequest) -> DataWish:
    """Raises BadWish."""
    asked = {name: request.GET.get(name, "") for name in ("words", *FACETS)}
    try:
        return DataWish.model_validate({name: text.replace("\x00", "") for name, text in asked.items()})
    except ValueError as error:
        raise BadWish("What is looked for is too long.", hint="Use fewer words.") from error


def _facet(name: str, chosen: str, counts: Sequence[FacetCount]) -> Facet:
    mine = [(count.value, count.num_datasets) for count in counts if count.kind == name]
    if chosen and chosen not in {value for value, _ in mine}:
        mine.append((chosen, 0))
    choices = tuple(
        Choice(value=value, label=word(name, value), num=num, chosen=value == chosen) for value, num in mine[:60]
    )
    return Facet(name=name, label=FACET_LABELS[name], choices=choices)


@require_safe
@public
def show(request: HttpRequest, ref: str) -> HttpResponse:
    """One dataset, with its newest version or the one that the address names."""
    person = reader(request)
    found = detail(find_dataset(ref, person=person), person=person, at=timezone.now(), number=_number(request))
    told, version = found.description, found.version
    files = told.files if told else ()
    shown = tuple(_file(found, file) for file in files[:MAX_FILES_SHOWN])
    context = DatasetPage(
        found=found,
        access=word("access", found.summary.access),
        sensitivity=word("sensitivity", found.summary.sensitivity),
        listing=word("listing", found.summary.listing),
        themes=tuple(word("theme", theme) for theme in told.themes) if told else (),
        languages=tuple(word("language", code) for code in told.languages) if told else (),
        marks=tuple(
            (word("criterion", mark.criterion), "met" if mark.met else "unmet", mark.evidence) for mark in found.marks
        ),
        files=shown,
        num_files_more=max(0, len(files) - MAX_FILES_SHOWN),
        may_ask=not found.is_own and not found.may_have and found.summary.access == "request",
        is_newest=version is not None and version.version == found.summary.version,
        command=f"fucina data download {ref}@{version.version}" if version else "",
    )
    return page(request, "portal/dataset.html", context, place=PLACE)


def _number(request: HttpRequest) -> int | None:
    """Raises BadWish."""
    text = request.GET.get("version", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadWish(f"{text[:40]!r} is no version.", hint="Follow a link in the list of versions.")
    return int(text)


def _file(found: DatasetDetail, file: FileInfo) -> FileRow:
    is_here = found.version is not None and found.may_have and file.path in found.held and file.role != "source"
    address = ""
    if is_here and found.version is not None:
        address = f"/api/v1/datasets/{found.summary.ref}/versions/{found.version.version}/files/{file.path}"
    return FileRow(file=file, role=word("role", file.role), address=address)
