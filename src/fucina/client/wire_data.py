"""What goes over the wire about the catalogue of data."""

from typing import Literal

from pydantic import AwareDatetime, Field

from fucina.client.wire import Answer, Request
from fucina.data.description import Access, DatasetDescription, Sensitivity
from fucina.data.drift import Drift
from fucina.data.readiness import Mark
from fucina.errors import ErrorBody

MAX_SAMPLES = 10
MAX_SAMPLE_CHARACTERS = 500


class Sample(Request):
    """The beginning of a document, with what is personal masked."""

    language: str = Field(default="", max_length=8)
    text: str = Field(max_length=MAX_SAMPLE_CHARACTERS)


class Policy(Request):
    """Who finds a dataset, and who may have it."""

    listing: Literal["private", "factory", "public"] = "private"
    access: Access = Access.CLOSED
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    terms: str = Field(default="", max_length=20_000)


class PublishRequest(Request):
    """A version to enter; its files were sent before, or stay where they are."""

    organisation: str
    """Name or reference."""
    description: DatasetDescription
    """Its version, dates, access and sensitivity are set by the hub."""
    samples: tuple[Sample, ...] = Field(default=(), max_length=MAX_SAMPLES)
    policy: Policy | None = None
    """For a new dataset; that of one that exists is changed by itself."""


class DatasetFilesQuery(Request):
    """Which files of a dataset the hub has."""

    organisation: str
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    sha256s: tuple[str, ...] = Field(max_length=100_000)


class DataWish(Request):
    """What is looked for; empty is anything."""

    words: str = Field(default="", max_length=500)
    language: str = Field(default="", max_length=16)
    licence: str = Field(default="", max_length=200)
    sensitivity: str = Field(default="", max_length=16)
    access: str = Field(default="", max_length=16)
    theme: str = Field(default="", max_length=16)
    size: str = Field(default="", max_length=16)
    quality: str = Field(default="", max_length=16)


class DatasetSummary(Answer):
    """A dataset as a list shows it."""

    ref: str
    name: str
    title: str
    organisation: str
    listing: str
    access: str
    sensitivity: str
    version: int
    licences: tuple[str, ...]
    languages: tuple[str, ...]
    num_documents: int
    num_bytes: int
    num_met: int
    """Criteria of the badge that are met, of five."""
    num_criteria: int = 5
    changed_at: AwareDatetime | None


class FacetCount(Answer):
    """How many datasets of the answer have a value."""

    kind: str
    value: str
    num_datasets: int


class SearchAnswer(Answer):
    """A page of datasets, with what to narrow by."""

    num_datasets: int
    datasets: tuple[DatasetSummary, ...]
    facets: tuple[FacetCount, ...]


class VersionInfo(Answer):
    """A version in the list of a dataset's versions."""

    ref: str
    version: int
    sha256: str
    run: str
    made_from: int | None
    """Number of the version that it replaces after an erasure."""
    num_documents: int
    num_bytes: int
    num_met: int
    created_at: AwareDatetime
    withdrawn_at: AwareDatetime | None = None
    withdrawn_because: str = ""


class DatasetDetail(Answer):
    """A dataset with one of its versions: all that this person may know."""

    summary: DatasetSummary
    terms: str
    is_own: bool
    """Whether one belongs to its organisation."""
    is_owner: bool
    may_have: bool
    """Whether one may have the bytes now."""
    leave_ends_at: AwareDatetime | None = None
    """When the grant ends that opens it."""
    version: VersionInfo | None
    description: DatasetDescription | None
    marks: tuple[Mark, ...] = ()
    samples: tuple[Sample, ...] = ()
    samples_hidden: bool = False
    """Whether there are samples that one may not see."""
    held: tuple[str, ...] = ()
    """Paths of the files that the hub has."""
    versions: tuple[VersionInfo, ...] = ()


class DataAccessAsk(Request):
    """A request for data."""

    organisation: str
    """On whose behalf: name or reference."""
    purpose: str = Field(min_length=10, max_length=4000)
    agrees: bool = False
    """Whether the terms are agreed to."""


class DataDecision(Request):
    """The decision on a request for data."""

    granted: bool
    reason: str = Field(min_length=3, max_length=4000)
    days: int = Field(default=365, ge=1, le=3650)
    """How long the grant lasts."""


class DataRequestInfo(Answer):
    """A request for data with its decision."""

    ref: str
    dataset: str
    title: str
    organisation: str
    holder: str
    """Organisation that has the data."""
    asked_by: str
    purpose: str
    terms: str
    state: str
    asked_at: AwareDatetime
    decided_by: str = ""
    decided_at: AwareDatetime | None = None
    reason: str = ""
    grant: str = ""
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    may_decide: bool = False
    may_end: bool = False
    """Whether one may take it back, or end what it opened."""


class WithdrawRequest(Request):
    """Why a version is withdrawn."""

    reason: str = Field(min_length=3, max_length=4000)


class StageRequest(Request):
    """Where the files of a version are to be put."""

    project: str


class StagedInfo(Answer):
    """Files that are now in a project's folder."""

    project: str
    paths: tuple[str, ...]
    num_bytes: int


class ErasureRequest(Request):
    """What is to leave a dataset."""

    kind: Literal["document", "person"]
    sought: str = Field(min_length=3, max_length=500)
    """An id as the documents have it, or a name as the text has it."""


class ErasureFinding(Answer):
    """What was found in one version."""

    version: int
    num_documents: int
    """Documents that held it."""
    searched: bool
    """Whether the hub has the files to search."""
    releases: tuple[str, ...] = ()
    """References of releases that were trained on the version."""
    projects: tuple[str, ...] = ()
    """Projects into whose folders its files were staged."""


class ErasureInfo(Answer):
    """A request to erase with what came of it."""

    ref: str
    dataset: str
    kind: str
    sought_sha256: str
    state: str
    asked_by: str
    asked_at: AwareDatetime
    done_at: AwareDatetime | None
    findings: tuple[ErasureFinding, ...]
    withdrawn: tuple[int, ...]
    rebuilt: int | None
    problem: ErrorBody | None


class VersionDiff(Answer):
    """What changed between two versions."""

    before: int
    after: int
    numbers: tuple[tuple[str, int, int], ...]
    """Name, before, after."""
    drift: tuple[Drift, ...]
    sources_added: tuple[str, ...]
    sources_removed: tuple[str, ...]
