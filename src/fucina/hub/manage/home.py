"""The home folder of a factory: folders, secrets, the operator, the site of this machine."""

import getpass
import os
import secrets
from datetime import datetime
from pathlib import Path

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from fucina.config import Settings
from fucina.hub.data.storage import drop_broken_uploads
from fucina.hub.network.actions import register_agent, register_site
from fucina.hub.network.catalogue_actions import ensure_catalogue
from fucina.hub.people.actions import Rule, find_token, issue_token, record
from fucina.hub.people.chain import seal_all
from fucina.hub.people.models import Person, Scope
from fucina.hub.trust.registration import resume_registrations
from fucina.network.catalogue import shipped_catalogue
from fucina.network.spec import load_network
from fucina.trust.keys import ensure_key

SETUP = Rule("prepare_home")


def write_secret(path: Path, text: str) -> None:
    """A file that only its owner reads; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def prepare_home(factory: Settings) -> Person:
    """Make everything that a factory needs, or what is missing of it; returns the operator. Safe to repeat."""
    factory.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = factory.home / "secrets" / "django.key"
    if not key.is_file():
        write_secret(key, secrets.token_urlsafe(64))
    if factory.signing_key is None:
        ensure_key(factory.key_folder)
    call_command("migrate", interactive=False, verbosity=0)
    at = timezone.now()
    operator = _operator(factory, at=at)
    _sites(factory, at=at)
    ensure_catalogue(catalogue=shipped_catalogue(), by=SETUP, at=at)
    seal_all()
    resume_registrations()
    drop_broken_uploads(at=at)
    return operator


@transaction.atomic
def _operator(factory: Settings, *, at: datetime) -> Person:
    username = operator_name()
    person = Person.objects.filter(username=username).first()
    if person is None:
        person = Person.objects.create_superuser(username)
        record(SETUP, "people.create_operator", person, at=at, data={"username": username})
    if not _opens(factory.operator_token_file, scope=Scope.PERSON, at=at):
        issued = issue_token(name="operator", scope=Scope.PERSON, person=person, by=SETUP, at=at)
        write_secret(factory.operator_token_file, issued.secret)
    return person


@transaction.atomic
def _sites(factory: Settings, *, at: datetime) -> None:
    for site in load_network(factory.network_file).sites:
        row = register_site(site=site, by=SETUP, at=at)
        if site.id == factory.site and not _opens(factory.agent_token_file, scope=Scope.AGENT, at=at):
            write_secret(factory.agent_token_file, register_agent(site=row, by=SETUP, at=at).secret)


def _opens(file: Path, *, scope: Scope, at: datetime) -> bool:
    """Whether the file holds a token of this factory that still opens something."""
    if not file.is_file():
        return False
    token = find_token(file.read_text(encoding="utf-8").strip(), at=at)
    return token is not None and token.scope == scope


def operator_name() -> str:
    """Whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
