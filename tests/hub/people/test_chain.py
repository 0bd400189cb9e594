"""The audit trail as a chain: whatever is done to a row behind the hub's back is found."""

import threading

import pytest
from django.db import connection, transaction

from fucina.hub.people.actions import create_organisation, record
from fucina.hub.people.chain import BadAnchor, NotAnAuditor, seal_all, seal_batch, verify_chain
from fucina.hub.people.models import AuditRecord, AuditSeal, Organisation
from tests.hub.conftest import NOON, SETUP

RECORDS, SEALS = "people_auditrecord", "people_auditseal"


@pytest.fixture
def trail(officine, bruno):
    """Ten sealed records, and a way to do what only somebody with the database in hand can do."""
    for number in range(9):
        record(SETUP, "test.note", officine, at=NOON, data={"number": number, "share": 0.1, "who": "perché"})
    seal_all()
    for table in (RECORDS, SEALS):
        on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
        for event in ("update", "delete"):
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TRIGGER {table}_no_{event}{on_table}")

    def run(statement, *arguments):
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)

    return run


def pks():
    return list(AuditSeal.objects.order_by("number").values_list("record_id", flat=True))


def found(bruno, expect=""):
    report = verify_chain(by=bruno, expect=expect)
    assert report.is_whole == (not report.findings)
    return report.findings


@pytest.mark.django_db
def test_an_untouched_trail_is_whole(trail, bruno, officine):
    report = verify_chain(by=bruno)
    assert (report.is_whole, report.num_sealed, report.num_waiting) == (True, 10, 0)
    record(SETUP, "test.note", officine, at=NOON)
    again = verify_chain(by=bruno, expect=report.head)
    assert (again.is_whole, again.num_waiting, again.head) == (True, 1, report.head)


@pytest.mark.parametrize(
    "change", ["who = 'another'", "action = 'test.other'", "data = '{}'", "object_ref = 'org-x'", "at = '2020-01-01'"]
)
def test_a_changed_record_is_found(trail, bruno, change):
    trail(f"UPDATE {RECORDS} SET {change} WHERE id = %s", pks()[4])  # noqa: S608
    (finding,) = found(bruno)
    assert finding.startswith(f"Record {pks()[4]} of seal 5 was changed")


def test_a_removed_record_is_found(trail, bruno):
    trail(f"DELETE FROM {RECORDS} WHERE id = %s", pks()[2])  # noqa: S608
    assert found(bruno) == (f"Record {pks()[2]} of seal 3 was removed.",)


def test_a_record_removed_with_its_seal_is_found(trail, bruno):
    pk = pks()[6]
    trail(f"DELETE FROM {RECORDS} WHERE id = %s", pk)  # noqa: S608
    trail(f"DELETE FROM {SEALS} WHERE number = 7")  # noqa: S608
    assert found(bruno) == ("Seals 7 to 7 are missing.",)
    trail(f"UPDATE {SEALS} SET number = number - 1 WHERE number = 8")  # noqa: S608
    assert any(finding.startswith("Seal 7 does not follow seal 6") for finding in found(bruno))


def test_records_that_changed_places_are_found(trail, bruno):
    first, second = pks()[3:5]
    for number, pk in ((4, -1), (5, first), (4, second)):
        trail(f"UPDATE {SEALS} SET record_id = %s WHERE number = %s", pk, number)  # noqa: S608
    assert [finding.split(":")[0] for finding in found(bruno)] == [
        f"Record {second} of seal 4 was changed or stood elsewhere",
        f"Record {first} of seal 5 was changed or stood elsewhere",
    ]


def test_a_trail_cut_off_or_written_anew_is_found_by_what_was_noted(trail, bruno, officine):
    head = verify_chain(by=bruno).head
    trail(f"DELETE FROM {RECORDS} WHERE id >= %s", pks()[8])  # noqa: S608
    trail(f"DELETE FROM {SEALS} WHERE number >= 9")  # noqa: S608
    assert not found(bruno)
    assert found(bruno, head) == ("The chain ends at seal 8; it had reached 10.",)
    for _ in range(2):
        record(SETUP, "test.forged", officine, at=NOON)
    seal_all()
    assert found(bruno, head) == ("Seal 10 is not the one that was noted: the chain was written anew before it.",)


@pytest.mark.parametrize("expect", ["x", "7", "7:abc", "-1:" + "0" * 64, "9" * 40 + ":" + "0" * 64])
def test_a_bad_anchor_is_refused_in_words(bruno, expect):
    with pytest.raises(BadAnchor, match="NUMBER:DIGEST"):
        verify_chain(by=bruno, expect=expect)


def test_only_staff_verify(ada):
    with pytest.raises(NotAnAuditor):
        verify_chain(by=ada)


def test_what_waits_is_sealed_a_batch_at_a_time(officine, monkeypatch, bruno):
    monkeypatch.setattr("fucina.hub.people.chain.BATCH", 4)
    for _ in range(9):
        record(SETUP, "test.note", officine, at=NOON)
    assert [seal_batch() for _ in range(4)] == [4, 4, 2, 0]
    assert found(bruno) == ()


def test_many_at_once_make_one_chain_and_what_is_rolled_back_is_not_in_it(committing, officine, bruno, ada):
    start, errors = threading.Barrier(6), []

    def work(name):
        start.wait()
        try:
            for number in range(5):
                create_organisation(name=f"{name} {number}", country="IT", by=ada, at=NOON)
                try:
                    with transaction.atomic():
                        record(SETUP, "test.undone", officine, at=NOON)
                        raise ValueError
                except ValueError:
                    pass
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"Firm {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert Organisation.objects.count() == 31
    seal_all()
    report = verify_chain(by=bruno)
    assert report.is_whole, report.findings
    assert (report.num_sealed, report.num_waiting) == (AuditRecord.objects.count(), 0)
    assert not AuditRecord.objects.filter(action="test.undone").exists()
