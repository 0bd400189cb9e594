"""The audit trail as a chain: each seal holds the digest of its record and of the seal before it.

Records are sealed right after they are committed, so that no action waits for the chain while it has rows locked.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from fucina.client.wire_audit import AuditReport
from fucina.errors import BadInput, NotAllowed
from fucina.hub.people.models import AuditRecord, AuditSeal, Person

BATCH = 500
REACH = 5000
"""How far behind the newest seal a record is looked for that was committed late."""
MAX_FINDINGS = 100
START = "0" * 64
"""What the first seal follows."""
_LOCK = 0x6675_6369_6E61
"""Number of the lock under which one process at a time appends, where the database does not lock as a whole."""


class NotAnAuditor(NotAllowed):
    """Only staff look through the audit trail."""

    code = "not_an_auditor"


class BadAnchor(BadInput):
    """What was noted of the chain earlier cannot be read."""

    code = "bad_anchor"


def seal_of(record: AuditRecord, *, number: int, previous: str) -> str:
    """The digest of one record at one place of the chain."""
    content = [
        number, previous, record.pk, record.at.isoformat(), record.who, record.person_id, record.action,
        record.object_kind, record.object_ref, record.data,
    ]  # fmt: skip
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def waiting() -> QuerySet[AuditRecord]:
    """Records without a seal."""
    return AuditRecord.objects.filter(~Exists(AuditSeal.objects.filter(record_id=OuterRef("pk"))))


@transaction.atomic
def seal_batch(*, everything: bool = False) -> int:
    """Append what is committed to the chain, at most a batch; returns how many. Safe in several processes at once."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    last = AuditSeal.objects.order_by("-number").first()
    rows = waiting().order_by("pk")
    if last is not None and not everything:
        rows = rows.filter(pk__gt=last.record_id - REACH)
    number, previous = (last.number, last.digest) if last else (0, START)
    seals = []
    for record in rows[:BATCH]:
        number += 1
        digest = seal_of(record, number=number, previous=previous)
        seals.append(AuditSeal(number=number, record_id=record.pk, previous=previous, digest=digest))
        previous = digest
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


def seal_all() -> int:
    """Seal whatever waits, also what a process left behind that was ended; returns how many."""
    total = 0
    while num := seal_batch(everything=True):
        total += num
    return total


def verify_chain(*, by: Person, expect: str = "") -> AuditReport:
    """Walk the chain and name every record that was changed, removed or put elsewhere.

    `expect` is `NUMBER:DIGEST` as an earlier report said it; without it a chain cut off at its end looks whole.
    Raises NotAnAuditor, BadAnchor.
    """
    if not by.is_staff:
        raise NotAnAuditor("Only staff verify the audit trail.", hint="Ask an access officer.")
    anchor = _anchor(expect)
    findings: list[str] = []
    number, digest = 0, START
    while seals := list(AuditSeal.objects.filter(number__gt=number).order_by("number")[:BATCH]):
        findings.extend(_wrong(seals, number=number, digest=digest, anchor=anchor))
        number, digest = seals[-1].number, seals[-1].digest
    if anchor is not None and anchor[0] > number:
        findings.append(f"The chain ends at seal {number}; it had reached {anchor[0]}.")
    return AuditReport(
        is_whole=not findings,
        num_sealed=AuditSeal.objects.count(),
        num_waiting=waiting().count(),
        head=f"{number}:{digest}",
        findings=tuple(findings[:MAX_FINDINGS]),
    )


def _wrong(seals: Sequence[AuditSeal], *, number: int, digest: str, anchor: tuple[int, str] | None) -> Iterator[str]:
    records = AuditRecord.objects.in_bulk([seal.record_id for seal in seals])
    for seal in seals:
        if seal.number != number + 1:
            yield f"Seals {number + 1} to {seal.number - 1} are missing."
        elif seal.previous != digest:
            yield f"Seal {seal.number} does not follow seal {number}: something between them was exchanged."
        record = records.get(seal.record_id)
        if record is None:
            yield f"Record {seal.record_id} of seal {seal.number} was removed."
        elif seal_of(record, number=seal.number, previous=seal.previous) != seal.digest:
            yield f"Record {seal.record_id} of seal {seal.number} was changed or stood elsewhere: {record}."
        if anchor is not None and anchor[0] == seal.number and anchor[1] != seal.digest:
            yield f"Seal {seal.number} is not the one that was noted: the chain was written anew before it."
        number, digest = seal.number, seal.digest


def _anchor(expect: str) -> tuple[int, str] | None:
    if not expect:
        return None
    number, _, digest = expect.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and len(digest) == 64):
        raise BadAnchor(f"{expect[:100]!r} is no NUMBER:DIGEST.", hint="Copy the head that an earlier report printed.")
    return int(number), digest
