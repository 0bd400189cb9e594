"""What people write about datasets: publishing a version, changing the policy, withdrawing a version."""

import re
from datetime import datetime

from django.db import transaction

from fucina.client.wire_data import Policy, PublishRequest
from fucina.data.croissant import croissant_of
from fucina.data.description import Access, DatasetDescription, FileInfo, Sensitivity
from fucina.errors import BadInput, NotAllowed, WrongState
from fucina.hub.access.actions import find_organisation
from fucina.hub.data.actions import enter_version, lock_dataset, set_current, tree_sha256
from fucina.hub.data.models import Blob, Dataset, DatasetVersion, Erasure, Listing, Withdrawal
from fucina.hub.data.storage import check_relative
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Membership, Organisation, Person, Role

MAX_FILES = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b|\b(?:\d[ -]?){13,19}\b")
"""E-mail addresses, IBANs and card numbers; who publishes has masked more than that."""


class NotAHolder(NotAllowed):
    """Only members of the organisation publish, and only its owners decide."""

    code = "not_a_holder"


class BadDescription(BadInput):
    """A description that cannot be published."""

    code = "bad_description"


class SampleNotMasked(BadInput):
    """A sample holds what should have been masked."""

    code = "sample_not_masked"


class AlreadyWithdrawn(WrongState):
    """The version was withdrawn before."""

    code = "already_withdrawn"


def check_name(name: str) -> str:
    """The name of a dataset, if it is one. Raises BadDescription."""
    if _NAME.fullmatch(name) is None:
        raise BadDescription(
            f"{name[:80]!r} is no name of a dataset.", hint="Use small letters, digits and hyphens, at most 63."
        )
    return name


def holder(name_or_ref: str, *, person: Person) -> Organisation:
    """An organisation for which this person publishes. Raises NotVisible, NotAHolder."""
    found = find_organisation(name_or_ref, person=person)
    if not Membership.objects.filter(person=person, organisation=found).exists():
        raise NotAHolder(f"You do not belong to {found}.", hint="Ask one of its owners to add you.")
    return found


def is_owner(dataset: Dataset, person: Person) -> bool:
    """Whether this person decides on a dataset."""
    return Membership.objects.filter(person=person, organisation=dataset.organisation_id, role=Role.OWNER).exists()


def check_owner(dataset: Dataset, person: Person) -> None:
    """Raises NotAHolder."""
    if not is_owner(dataset, person):
        raise NotAHolder(f"Only an owner of {dataset.organisation} decides on {dataset}.", hint="Ask an owner.")


@transaction.atomic
def publish(*, request: PublishRequest, by: Person, at: datetime) -> DatasetVersion:
    """Enter a version; the same files and words again are the version that there is.

    Raises NotVisible, NotAHolder, BadDescription, BadPath, SampleNotMasked.
    """
    organisation = holder(request.organisation, person=by)
    described = request.description
    _check(described)
    for number, sample in enumerate(request.samples):
        if _PERSONAL.search(sample.text):
            raise SampleNotMasked(
                f"Sample {number + 1} holds an e-mail address, an IBAN or a card number.",
                hint="Mask samples before they are sent; `fucina data publish` does.",
            )
    is_new = not Dataset.objects.filter(organisation=organisation, name=described.name).exists()
    dataset = lock_dataset(organisation=organisation, name=described.name, title=described.title, at=at)
    if is_new and request.policy is not None:
        _set_policy(dataset, request.policy)
    if dataset.title != described.title:
        dataset.title = described.title
        dataset.save(update_fields=["title"])
    sha256 = tree_sha256({f"{file.role}/{file.path}": file.sha256 for file in described.files})
    known = dataset.current
    if known is not None and known.sha256 == sha256 and _same_words(known, described):
        return known
    return enter_version(
        dataset=dataset,
        sha256=sha256,
        card=croissant_of(described),
        licence=" AND ".join(described.licences),
        described=described,
        samples=request.samples,
        by=by,
        at=at,
    )


def _check(described: DatasetDescription) -> None:
    """Raises BadDescription, BadPath."""
    if len(described.files) > MAX_FILES:
        raise BadDescription(
            f"The description names {len(described.files):,} files; {MAX_FILES:,} are taken.",
            hint="Pack the documents into fewer files.",
        )
    seen: set[tuple[str, str]] = set()
    for file in described.files:
        if file.role != "source":
            check_relative(file.path)
        if (file.role, file.path) in seen:
            raise BadDescription(f"The description names {file.path!r} twice.", hint="Name each file once.")
        seen.add((file.role, file.path))


def _same_words(known: DatasetVersion, described: DatasetDescription) -> bool:
    given = {"version", "issued_on", "changed_on", "run", "digest", "access", "sensitivity"}
    return known.described.model_dump(exclude=given) == described.model_dump(exclude=given)


def _set_policy(dataset: Dataset, policy: Policy) -> None:
    dataset.listing = Listing(policy.listing)
    dataset.access, dataset.sensitivity = policy.access.value, policy.sensitivity.value
    dataset.terms = policy.terms
    _check_policy(dataset)
    dataset.save(update_fields=["listing", "access", "sensitivity", "terms"])


def _check_policy(dataset: Dataset) -> None:
    """Raises BadDescription."""
    if dataset.sensitivity == Sensitivity.SENSITIVE and dataset.access == Access.OPEN:
        raise BadDescription(
            "Sensitive data cannot be open to everybody.", hint="Let people ask for it: access `request`."
        )


@transaction.atomic
def change_policy(*, dataset: Dataset, policy: Policy, by: Person, at: datetime) -> Dataset:
    """Say anew who finds a dataset and who may have it; grants stay. Raises NotAHolder, BadDescription."""
    dataset = Dataset.objects.select_for_update(no_key=True, of=("self",)).get(pk=dataset.pk)
    check_owner(dataset, by)
    before = {name: getattr(dataset, name) for name in ("listing", "access", "sensitivity", "terms")}
    _set_policy(dataset, policy)
    set_current(dataset, dataset.current, at=at)
    after = {name: str(getattr(dataset, name)) for name in before}
    record(by, "data.change_policy", dataset, at=at, data={"was": before, "is": after})
    return dataset


@transaction.atomic
def withdraw(*, version: DatasetVersion, reason: str, by: Person, at: datetime) -> Withdrawal:
    """Take a version back: it is told of and no longer given. Raises NotAHolder, AlreadyWithdrawn."""
    check_owner(version.dataset, by)
    return bury(version=version, reason=reason, person=by, by=by, at=at)


def bury(
    *,
    version: DatasetVersion,
    reason: str,
    person: Person | None,
    by: Actor,
    at: datetime,
    erasure: Erasure | None = None,
) -> Withdrawal:
    """Write the tombstone, and show the newest version that is left. Raises AlreadyWithdrawn."""
    dataset = Dataset.objects.select_for_update(no_key=True, of=("self",)).get(pk=version.dataset_id)
    if Withdrawal.objects.filter(version=version).exists():
        raise AlreadyWithdrawn(f"{version} was withdrawn before.", hint="Look at the dataset's versions.")
    tombstone = Withdrawal.objects.create(version=version, reason=reason, erasure=erasure, by=person, at=at)
    left = dataset.versions.filter(withdrawal__isnull=True).order_by("-version").first()
    set_current(dataset, left, at=at)
    record(by, "data.withdraw", version, at=at, data={"version": version.version, "reason": reason})
    return tombstone


def files_to_give(version: DatasetVersion) -> tuple[FileInfo, ...]:
    """Files of a version that the hub has: documents, and what is told about them."""
    files = version.described.files_of("documents", "record")
    blobs = Blob.objects.filter(organisation=version.dataset.organisation, project=version.dataset.name)
    known = set(blobs.filter(sha256__in=[file.sha256 for file in files]).values_list("sha256", flat=True))
    return tuple(file for file in files if file.sha256 in known)
