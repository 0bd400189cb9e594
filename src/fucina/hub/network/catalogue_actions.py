"""Everything that is written about the catalogue: taking a file in, changing a fact, taking the change back."""

from datetime import datetime
from typing import Any

from django.db import transaction
from pydantic import JsonValue, TypeAdapter, ValidationError

from fucina.client.wire_network import LoadedInfo
from fucina.errors import BadInput, NotAllowed, WrongState
from fucina.hub.network.catalogue_models import CatalogueEdition, CatalogueEntry
from fucina.hub.network.catalogue_read import UnknownRecord, assemble
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref
from fucina.network.catalogue import KINDS, BadCatalogue, Catalogue, in_words

RECORDS = frozenset(kind.many for kind in KINDS.values())


class NotCatalogueStaff(NotAllowed):
    """Only staff change the catalogue."""

    code = "not_catalogue_staff"


class BadFact(BadInput):
    """A value that a field of the catalogue cannot have."""

    code = "bad_fact"


class CatalogueChanged(WrongState):
    """Somebody changed the catalogue while this change was being written."""

    code = "catalogue_changed"


def _check_staff(by: Actor) -> None:
    """Raises NotCatalogueStaff for a person who is not staff."""
    if isinstance(by, Person) and not by.is_staff:
        raise NotCatalogueStaff(
            "Only staff change the catalogue.", hint="Tell an officer of the factory what is wrong."
        )


def ensure_catalogue(*, catalogue: Catalogue, by: Actor, at: datetime) -> LoadedInfo | None:
    """Take the catalogue in unless this hub has this version or a newer one; None when nothing was done."""
    newest = CatalogueEdition.objects.order_by("-pk").first()
    if newest is not None and newest.version >= catalogue.version:
        return None
    return load(catalogue=catalogue, by=by, at=at)


@transaction.atomic
def load(*, catalogue: Catalogue, by: Actor, at: datetime) -> LoadedInfo:
    """Take a catalogue in; facts that were changed here stay as they are. The same again changes nothing.

    Raises NotCatalogueStaff, and BadCatalogue where the file and what was changed here do not go together.
    """
    _check_staff(by)
    plain = catalogue.model_dump(mode="json")
    kept = {row.ref: row for row in CatalogueEntry.objects.select_for_update(no_key=True)}
    fresh: dict[str, CatalogueEntry] = {}
    num_added = num_changed = 0
    for kind, (many, _) in KINDS.items():
        for position, shipped in enumerate(plain[many]):
            row = kept.get(f"{kind}/{shipped['id']}")
            if row is None:
                row = CatalogueEntry(kind=kind, key=shipped["id"])
                num_added += 1
            elif row.shipped != shipped or row.withdrawn:
                num_changed += 1
            row.shipped, row.position, row.withdrawn = shipped, position, False
            fresh[row.ref] = row
    gone = [row for ref, row in kept.items() if ref not in fresh]
    num_withdrawn = sum(not row.withdrawn for row in gone)
    for row in gone:
        row.withdrawn = True
    vocabulary = {field: value for field, value in plain.items() if field not in RECORDS}
    _check(vocabulary, [*fresh.values()])
    for row in (*fresh.values(), *gone):
        row.save()
    edition = CatalogueEdition.objects.create(version=catalogue.version, vocabulary=vocabulary, loaded_at=at)
    loaded = LoadedInfo(
        version=catalogue.version,
        num_added=num_added,
        num_changed=num_changed,
        num_withdrawn=num_withdrawn,
        num_edits=sum(len(row.local) for row in fresh.values()),
    )
    record(by, "network.load_catalogue", edition, at=at, data=loaded.model_dump())
    return loaded


def _check(vocabulary: dict[str, Any], rows: list[CatalogueEntry]) -> None:
    try:
        assemble(vocabulary, rows)
    except ValidationError as error:
        raise BadCatalogue(
            f"With what was changed here the catalogue does not hang together: {in_words(error)}",
            hint="Take the change back first, or mend the file.",
        ) from error


@transaction.atomic
def change_facts(
    *, kind: str, key: str, values: dict[str, JsonValue], by: Person, at: datetime, stamp: str | None = None
) -> CatalogueEntry:
    """Set facts of a record; what is as shipped again is no change any more.

    Raises NotCatalogueStaff, UnknownRecord, BadFact, CatalogueChanged when `stamp` is not that of the catalogue.
    """
    _check_staff(by)
    edition = CatalogueEdition.objects.select_for_update(no_key=True).order_by("-pk").first()
    row = CatalogueEntry.objects.select_for_update(no_key=True).filter(kind=kind, key=key, withdrawn=False).first()
    if edition is None or row is None or kind not in KINDS:
        raise UnknownRecord(f"The catalogue here has no {kind} {key!r}.", hint="Load it with `fucina network load`.")
    if stamp is not None and stamp != edition.stamp:
        raise CatalogueChanged("The catalogue was changed meanwhile.", hint="Look at it again, then change it.")
    before = dict(row.local)
    for field, value in values.items():
        if field not in KINDS[kind].type.model_fields or field == "id":
            raise BadFact(f"A {kind} has no field {field!r} that can be changed.", hint=_fields(kind))
        _set(row, field, normal(kind, field, value), by=by, at=at)
    if row.local == before:
        return row
    try:
        assemble(edition.vocabulary, [*CatalogueEntry.objects.filter(withdrawn=False).exclude(pk=row.pk), row])
    except ValidationError as error:
        raise BadFact(f"{kind} {key}: {in_words(error)}", hint="Nothing was changed.") from error
    row.save(update_fields=["local"])
    edition.stamp = new_ref("cat")
    edition.save(update_fields=["stamp"])
    data = {field: {"was": before.get(field), "is": row.local.get(field)} for field in values}
    record(by, "network.change_facts", row, at=at, data=data)
    return row


def normal(kind: str, field: str, value: JsonValue) -> JsonValue:
    """A value as a catalogue file has it: "12" is 12 where a number belongs. Raises BadFact."""
    annotation: Any = KINDS[kind].type.model_fields[field].annotation
    form: TypeAdapter[Any] = TypeAdapter(annotation)
    try:
        plain: JsonValue = form.dump_python(form.validate_python(value), mode="json")
    except ValidationError as error:
        raise BadFact(f"{field}: {in_words(error)}", hint="Nothing was changed.") from error
    return plain


def _set(row: CatalogueEntry, field: str, value: JsonValue, *, by: Person, at: datetime) -> None:
    """Put a value into `local`, unless it stands already; the shipped one takes the change away."""
    if value == row.shipped.get(field):
        row.local.pop(field, None)
    elif field not in row.local or row.local[field]["value"] != value:
        row.local[field] = {"value": value, "by": by.username, "at": at.isoformat()}


def _fields(kind: str) -> str:
    return "Fields are: " + ", ".join(field for field in KINDS[kind].type.model_fields if field != "id") + "."
