"""Organisations, tokens, sign-in links and the audit trail."""

from datetime import timedelta

import pytest

from fucina.errors import NotAllowed, NotVisible
from fucina.hub.people.actions import (
    BadName,
    LinkSpent,
    NameTaken,
    add_member,
    create_organisation,
    find_token,
    issue_token,
    make_sign_in_link,
    redeem,
    revoke_token,
)
from fucina.hub.people.models import ApiToken, AuditRecord, Organisation, Role, Scope, SignInLink
from fucina.hub.people.read import me, organisations
from fucina.hub.people.reference import ALPHABET, new_ref
from fucina.hub.people.visible import get_visible
from tests.hub.conftest import NOON, SETUP


def test_who_founds_an_organisation_owns_it(officine, ada):
    (info,) = organisations(ada)
    assert (info.name, info.country, info.role) == ("Officine Esempio", "IT", "owner")
    assert me(ada).organisations == ("Officine Esempio",)


@pytest.mark.parametrize("name", ["Officine Esempio", "OFFICINE ESEMPIO", "  officine   esempio "])
def test_a_name_is_taken_in_any_case(officine, dag, name):
    with pytest.raises(NameTaken):
        create_organisation(name=name, country="IT", by=dag, at=NOON)
    assert Organisation.objects.visible_to(dag).count() == 1


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "a\u202eb"])
def test_a_name_that_cannot_be_shown_is_refused(ada, name):
    with pytest.raises(BadName):
        create_organisation(name=name, country="", by=ada, at=NOON)


def test_only_owners_add_members(officine, ada, bruno, dag):
    add_member(organisation=officine, person=bruno, role=Role.MEMBER, by=ada, at=NOON)
    with pytest.raises(NotAllowed):
        add_member(organisation=officine, person=dag, role=Role.OWNER, by=bruno, at=NOON)
    assert not officine.memberships.filter(person=dag).exists()


def test_what_is_hidden_and_what_does_not_exist_sound_the_same(officine, dag):
    hidden, absent = officine.ref, new_ref("org")

    def message(ref):
        with pytest.raises(NotVisible) as caught:
            get_visible(Organisation.objects.visible_to(dag), ref)
        return caught.value.message.replace(ref, "REF"), caught.value.hint, caught.value.code

    assert message(hidden) == message(absent)


def test_only_the_digest_of_a_token_is_kept(ada):
    issued = issue_token(name="laptop", scope=Scope.PERSON, person=ada, by=ada, at=NOON)
    assert issued.secret.startswith("fuc_")
    row = ApiToken.objects.get()
    assert issued.secret not in str(vars(row))
    assert issued.secret not in str(list(AuditRecord.objects.values()))
    assert find_token(issued.secret, at=NOON) == row


def test_a_token_ends(ada):
    issued = issue_token(name="laptop", scope=Scope.PERSON, person=ada, by=ada, at=NOON, lasts=timedelta(hours=1))
    assert find_token(issued.secret, at=NOON + timedelta(minutes=59))
    assert find_token(issued.secret, at=NOON + timedelta(hours=1)) is None
    revoke_token(token=issued.token, by=ada, at=NOON)
    assert find_token(issued.secret, at=NOON) is None


def test_the_token_of_someone_who_may_not_sign_in_opens_nothing(ada):
    issued = issue_token(name="laptop", scope=Scope.PERSON, person=ada, by=ada, at=NOON)
    ada.is_active = False
    ada.save()
    assert find_token(issued.secret, at=NOON) is None


@pytest.mark.parametrize("secret", ["", "fuc_", "fuc_" + "a" * 43, "è", "bearer"])
def test_other_secrets_open_nothing(ada, secret):
    issue_token(name="laptop", scope=Scope.PERSON, person=ada, by=ada, at=NOON)
    assert find_token(secret, at=NOON) is None


def test_the_last_use_is_kept_to_the_minute(ada):
    secret = issue_token(name="laptop", scope=Scope.PERSON, person=ada, by=ada, at=NOON).secret
    for seconds in (0, 30, 59, 61):
        find_token(secret, at=NOON + timedelta(seconds=seconds))
    assert ApiToken.objects.get().last_used_at == NOON + timedelta(seconds=61)


def test_a_link_signs_in_once_within_ten_minutes(ada):
    path = make_sign_in_link(person=ada, by=SETUP, at=NOON)
    assert path.startswith("/enter/")
    secret = path.removeprefix("/enter/")
    assert secret not in str(SignInLink.objects.values())
    assert redeem(secret=secret, at=NOON + timedelta(minutes=9)) == ada
    with pytest.raises(LinkSpent):
        redeem(secret=secret, at=NOON + timedelta(minutes=9))
    late = make_sign_in_link(person=ada, by=SETUP, at=NOON).removeprefix("/enter/")
    for secret in (late, "nonsense", ""):
        with pytest.raises(LinkSpent):
            redeem(secret=secret, at=NOON + timedelta(minutes=10))


def test_references_do_not_repeat():
    refs = {new_ref("run") for _ in range(1000)}
    assert len(refs) == 1000
    assert set("".join(ref.removeprefix("run-") for ref in refs)) <= set(ALPHABET)
