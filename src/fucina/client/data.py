"""The catalogue of data."""

from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import BlobAnswer
from fucina.client.wire_data import (
    DataAccessAsk,
    DataDecision,
    DataRequestInfo,
    DatasetDetail,
    DatasetFilesQuery,
    DatasetSummary,
    DataWish,
    ErasureInfo,
    ErasureRequest,
    Policy,
    PublishRequest,
    SearchAnswer,
    StagedInfo,
    StageRequest,
    VersionDiff,
    WithdrawRequest,
)


class DataCalls(Door):
    """The catalogue of data."""

    def search_data(self, wish: DataWish, *, offset: int = 0, limit: int = 50) -> SearchAnswer:
        """Datasets that fit, best or newest first, with facets."""
        asked = {name: value for name, value in wish.model_dump().items() if value}
        return self.get(SearchAnswer, "/datasets", offset=offset, limit=limit, **asked)

    def dataset(self, ref: str, *, version: int | None = None) -> DatasetDetail:
        """One dataset with its newest version, or the one that is named."""
        return self.get(DatasetDetail, f"/datasets/{quote(ref, safe='')}", version=version)

    def missing_data_files(self, query: DatasetFilesQuery) -> tuple[str, ...]:
        """Which files of a dataset the hub lacks."""
        return self.post(BlobAnswer, "/datasets/files/missing", query).missing

    def put_data_file(self, organisation: str, name: str, file: Path, *, sha256: str) -> None:
        """Send a file of a dataset."""
        self.put_file(f"/datasets/files/{quote(organisation, safe='')}/{name}/{sha256}", file, sha256=sha256)

    def publish_dataset(self, request: PublishRequest) -> DatasetDetail:
        """Enter a version; the same again is the version that there is."""
        return self.post(DatasetDetail, "/datasets", request)

    def change_data_policy(self, ref: str, policy: Policy) -> DatasetSummary:
        """Say anew who finds a dataset and who may have it."""
        return self.post(DatasetSummary, f"/datasets/{quote(ref, safe='')}/policy", policy)

    def diff_dataset(self, ref: str, before: int, after: int) -> VersionDiff:
        """What changed between two versions."""
        return self.get(VersionDiff, f"/datasets/{quote(ref, safe='')}/diff", before=before, after=after)

    def fetch_data_file(self, ref: str, version: int, path: str, target: Path) -> None:
        """Download a file of a version; a transfer that broke off goes on."""
        self.fetch(f"/datasets/{quote(ref, safe='')}/versions/{version}/files/{quote(path)}", target)

    def stage_dataset(self, ref: str, version: int, request: StageRequest) -> StagedInfo:
        """Put the files of a version into a project's folder."""
        return self.post(StagedInfo, f"/datasets/{quote(ref, safe='')}/versions/{version}/stage", request)

    def withdraw_dataset(self, ref: str, version: int, request: WithdrawRequest) -> DatasetDetail:
        """Take a version back."""
        return self.post(DatasetDetail, f"/datasets/{quote(ref, safe='')}/versions/{version}/withdraw", request)

    def request_data(self, ref: str, request: DataAccessAsk) -> DataRequestInfo:
        """Ask for a dataset on behalf of one's organisation."""
        return self.post(DataRequestInfo, f"/datasets/{quote(ref, safe='')}/requests", request)

    def data_requests(self) -> list[DataRequestInfo]:
        """Requests that one's organisations made, and those for their data."""
        return self.list(DataRequestInfo, "/data-requests")

    def decide_data_request(self, ref: str, decision: DataDecision) -> DataRequestInfo:
        """Grant or reject a request for data."""
        return self.post(DataRequestInfo, f"/data-requests/{quote(ref, safe='')}/decide", decision)

    def take_back_data_request(self, ref: str) -> DataRequestInfo:
        """Take back a request that waits."""
        return self.post(DataRequestInfo, f"/data-requests/{quote(ref, safe='')}/take-back")

    def revoke_data_grant(self, ref: str) -> DataRequestInfo:
        """End what a request was granted."""
        return self.post(DataRequestInfo, f"/data-requests/{quote(ref, safe='')}/revoke")

    def erase_data(self, ref: str, request: ErasureRequest) -> ErasureInfo:
        """Ask that something leaves a dataset."""
        return self.post(ErasureInfo, f"/datasets/{quote(ref, safe='')}/erasures", request)

    def erasure(self, ref: str) -> ErasureInfo:
        """An erasure with what came of it."""
        return self.get(ErasureInfo, f"/erasures/{quote(ref, safe='')}")
