"""A pool of reviewers and applications that wait for it."""

from datetime import timedelta

import pytest

from fucina.access.moves import MoveName
from fucina.hub.access.moving import move_application
from fucina.hub.compute import projects
from fucina.hub.network.actions import register_site
from fucina.hub.people.actions import create_organisation
from fucina.hub.people.models import Person
from fucina.hub.review.assigning import assign_reviewers, prepare_case
from fucina.hub.review.models import Review
from fucina.hub.review.pool import put_reviewer
from fucina.hub.review.reviewing import submit_review
from tests.hub.conftest import NOON, SETUP, application_request, slurm_site

HOUR = 3600
PLACE = "alpha/gpu"
GOOD = {"excellence": 4.0, "impact": 4.0, "implementation": 4.0}
WHY = dict.fromkeys(GOOD, "Said with ten characters and more.")


@pytest.fixture
def alpha(db):
    return register_site(site=slurm_site(), by=SETUP, at=NOON)


def reviewer(username, bruno, *, expertise=None, languages=("en", "it"), max_reviews=5, **more):
    person = Person.objects.filter(username=username).first() or Person.objects.create_user(username)
    return put_reviewer(
        username=person.username,
        expertise=expertise or {"energy": 3},
        languages=languages,
        max_reviews=max_reviews,
        by=bruno,
        at=NOON,
        **more,
    )


@pytest.fixture
def pool(bruno):
    """Three who know energy."""
    return [reviewer(name, bruno) for name in ("elsa", "fritz", "gina")]


def apply_for(person, *, organisation, project="reti", hours=60_000, language="en", at=NOON):
    request = application_request(
        organisation=organisation, project=project, access_mode="large-scale", gpu_hours=hours, sector="Energy"
    )
    return projects.apply(request=request, by=person, at=at)


def bring_to_review(application, bruno, *, hours=None):
    for name in (MoveName.CHECKED, MoveName.ASSESSED):
        application = move_application(application=application, name=name, by=bruno, at=NOON)
    asks = [{PLACE: hours * HOUR}] if hours else []
    prepare_case(application=application, topics=["Energy"], language="en", asks=asks, by=bruno, at=NOON)
    return application


@pytest.fixture
def in_review(ada, officine, alpha, bruno):
    """Ada's application waits for reviewers."""
    return bring_to_review(apply_for(ada, organisation="Officine Esempio"), bruno)


@pytest.fixture
def assigned(in_review, pool, bruno):
    """Her application has three reviewers."""
    return assign_reviewers(mode_id="large-scale", by=bruno, at=NOON).reviews


def submit(review, *, scores=None, reasons=None, version=0, at=NOON):
    return submit_review(
        review=review,
        scores=scores or GOOD,
        reasons=reasons or WHY,
        version=version,
        by=review.reviewer.person,
        at=at,
    )


def bring_to_panel(application, bruno, *, scores=None):
    for review in Review.objects.filter(application=application).select_related("reviewer__person"):
        submit(review, scores=scores)
    for name in (MoveName.CLOSE_REVIEW, MoveName.CLOSE_REPLY):
        application = move_application(application=application, name=name, by=bruno, at=NOON)
    return application


def many_before_the_panel(bruno, wishes):
    """Applications of as many organisations, with hours and excellence each, all reviewed."""
    applications = []
    for number, (hours, score) in enumerate(wishes):
        person = Person.objects.create_user(f"firm-{number}", language="it" if number % 2 else "en")
        create_organisation(name=f"Firm {number}", country="IT", by=person, at=NOON)
        at = NOON + timedelta(minutes=number)
        made = apply_for(person, organisation=f"Firm {number}", project=f"p-{number}", hours=hours, at=at)
        applications.append((bring_to_review(made, bruno, hours=hours), score))
    assign_reviewers(mode_id="large-scale", by=bruno, at=NOON)
    return [bring_to_panel(made, bruno, scores={**GOOD, "excellence": score}) for made, score in applications]
