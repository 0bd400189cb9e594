"""Registering sites, their agents' tokens, and whom jobs run as."""

import pytest

from fucina.errors import NotVisible
from fucina.hub.network.actions import NotSiteStaff, UserTaken, admit_site, find_site, map_user, set_draining
from fucina.hub.network.models import SiteAccount
from fucina.hub.network.read import users
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON, slurm_site, with_token

CLAIM = {"data": '{"num_slots": 0, "num_gpus": 0}', "content_type": "application/json"}


def test_the_token_comes_once_and_a_new_one_ends_the_old(bruno):
    first = admit_site(site=slurm_site(), new_token=False, by=bruno, at=NOON)
    again = admit_site(site=slurm_site(name="New name"), new_token=False, by=bruno, at=NOON)
    assert (again.agent, again.secret, again.agent.site.title) == (first.agent, "", "New name")
    third = admit_site(site=slurm_site(), new_token=True, by=bruno, at=NOON)
    assert third.agent == first.agent
    assert with_token(first.secret).post("/api/v1/agent/claim", **CLAIM).status_code == 401
    assert with_token(third.secret).post("/api/v1/agent/claim", **CLAIM).status_code == 200


def test_only_staff_change_a_site_of_the_network(site, ada, dag):
    for person in (ada, dag):
        for change in (
            lambda by: admit_site(site=slurm_site(), new_token=False, by=by, at=NOON),
            lambda by: set_draining(site=site, drain=True, by=by, at=NOON),
            lambda by: map_user(site=site, username="ada", unix_user="root", by=by, at=NOON),
            lambda by: users(site, person=by),
        ):
            with pytest.raises(NotSiteStaff):
                change(person)
    assert not SiteAccount.objects.exists()


def test_a_person_has_one_user_and_a_user_one_person(site, ada, dag, bruno):
    for unix_user in ("ada", "alice", "alice"):
        map_user(site=site, username="ada", unix_user=unix_user, by=bruno, at=NOON)
    with pytest.raises(UserTaken, match="alice of local is ada's"):
        map_user(site=site, username="dag", unix_user="alice", by=bruno, at=NOON)
    assert [(row.person, row.unix_user) for row in users(site, person=bruno)] == [("ada", "alice")]
    map_user(site=site, username="ada", unix_user="", by=bruno, at=NOON)
    assert users(site, person=bruno) == []
    done = AuditRecord.objects.filter(action__contains="map_user").order_by("pk").values_list("action", flat=True)
    assert list(done) == ["network.map_user", "network.map_user", "network.unmap_user"]


@pytest.mark.parametrize("name", ["nobody", "", "a\x00"])
def test_an_unknown_person_or_site_is_not_there(site, bruno, name):
    with pytest.raises(NotVisible):
        map_user(site=site, username=name, unix_user="x", by=bruno, at=NOON)
    with pytest.raises(NotVisible):
        find_site(name, person=bruno)


@pytest.mark.parametrize("user", ["root user", "Root", "-x", "a/b", "x" * 33, "1a"])
def test_a_user_that_no_unix_has_is_refused(site, as_bruno, ada, user):
    body = {"data": f'{{"person": "ada", "unix_user": "{user}"}}', "content_type": "application/json"}
    assert as_bruno.post("/api/v1/sites/local/users", **body).status_code == 422
