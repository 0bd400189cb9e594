"""Folders that travel to a site and back, over commands on this machine and over SSH."""

import os
import sys
from pathlib import Path, PurePosixPath

import pytest

from fucina.cli import stores
from fucina.compute.slurm import mirror as module
from fucina.compute.slurm.cli import CliTransport
from fucina.compute.slurm.mirror import CopyFailed, Mirror
from fucina.compute.slurm.placing import OutsideProject
from fucina.compute.slurm.transport import Completed, LostAnswer
from fucina.data.store import PIECE_BYTES
from fucina.network.spec import ObjectStore, SlurmSite
from tests.s3_server import KEYS


class Counted:
    """A transport that counts, and can break off or spoil what it sends."""

    def __init__(
        self, *, break_after: int = 10**9, spoil: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        self._inner = CliTransport(environment=environment or {}, bin_folder=None)
        self.calls: list[list[str]] = []
        self.sent = 0
        self.break_after = break_after
        self.spoil = spoil

    def run(self, argv, *, stdin: bytes = b"", user: str = "") -> Completed:
        self.calls.append(list(argv))
        if len(self.calls) > self.break_after:
            raise LostAnswer("The line is cut.", hint="")
        self.sent += len(stdin)
        return self._inner.run(argv, stdin=stdin[::-1] if self.spoil else stdin, user=user)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    job = folder / "runs" / "r" / "prepare"
    (job / "in").mkdir(parents=True)
    (job / "stage.json").write_text("{}")
    (job / "in" / "a file with 'quotes' and spaces.txt").write_text("uno")
    (job / "in" / "empty").write_bytes(b"")
    (job / "in" / "same.txt").write_text("uno")
    (job / "in" / "big").write_bytes(os.urandom(3 << 20))
    return folder


@pytest.fixture
def there(tmp_path):
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def mirror_of(here, there, transport=None) -> Mirror:
    return Mirror(transport or Counted(), here=here, there=PurePosixPath(there))


JOB = Path("runs/r/prepare")


def test_a_folder_arrives_whole_and_is_sent_once(here, there):
    transport = Counted()
    mirror = mirror_of(here, there, transport)
    assert mirror.push(here / JOB) == (3 << 20) + 3 + 2
    assert tree(there / JOB) == tree(here / JOB)
    assert mirror.push(here / JOB) == 0
    assert transport.sent == (3 << 20) + 3 + 2


def test_a_job_may_change_its_small_files_and_the_store_stays(here, there):
    mirror = mirror_of(here, there)
    mirror.push(here / JOB)
    (there / JOB / "stage.json").write_text("changed")
    mirror.push(here / JOB)
    assert (there / JOB / "stage.json").read_text() == "{}"


def test_results_come_back_as_wanted(here, there):
    mirror = mirror_of(here, there)
    mirror.push(here / JOB)
    (there / JOB / "record.json").write_text("done")
    (there / JOB / "out" / "release").mkdir(parents=True)
    (there / JOB / "out" / "release" / "model").write_bytes(b"w" * 9_000_000)
    (there / JOB / "scratch").mkdir()
    (there / JOB / "scratch" / "x").write_text("no")
    wanted = lambda path: path == "record.json" or path.startswith("out/release/")  # noqa: E731
    assert mirror.pull(here / JOB, wanted=wanted) == 4 + 9_000_000
    assert (here / JOB / "out" / "release" / "model").read_bytes() == b"w" * 9_000_000
    assert not (here / JOB / "scratch").exists()


def test_a_growing_file_comes_piece_by_piece(here, there):
    mirror = mirror_of(here, there)
    mirror.push(here / JOB)
    lines = there / JOB / "progress.ndjson"
    assert mirror.pull_tail(here / JOB / "progress.ndjson") == 0
    lines.write_text("one\n")
    assert mirror.pull_tail(here / JOB / "progress.ndjson") == 4
    lines.write_text("one\ntwo\n")
    assert mirror.pull_tail(here / JOB / "progress.ndjson") == 4
    assert (here / JOB / "progress.ndjson").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("break_after", range(3, 24, 3))
def test_a_line_that_is_cut_is_gone_on_with(here, there, monkeypatch, break_after):
    monkeypatch.setattr(module, "PIECE_BYTES", 1 << 18)
    broken = Counted(break_after=break_after)
    with pytest.raises(LostAnswer):
        mirror_of(here, there, broken).push(here / JOB)
    again = Counted()
    mirror_of(here, there, again).push(here / JOB)
    assert tree(there / JOB) == tree(here / JOB)
    assert again.sent + broken.sent <= (3 << 20) + 5 + 4 * (1 << 18), "what had arrived is not sent again"


def test_what_arrives_changed_is_noticed(here, there):
    with pytest.raises(CopyFailed, match="at the site"):
        mirror_of(here, there, Counted(spoil=True)).push(here / JOB)
    mirror_of(here, there).push(here / JOB)
    assert tree(there / JOB) == tree(here / JOB)


def test_a_file_that_grows_while_it_is_fetched_is_not_half_taken(here, there):
    mirror = mirror_of(here, there)
    mirror.push(here / JOB)
    (there / JOB / "record.json").write_text("first")

    class Growing(Counted):
        def run(self, argv, *, stdin: bytes = b"", user: str = "") -> Completed:
            if argv[0] == "sha256sum":
                (there / JOB / "record.json").write_text("second")
            return super().run(argv, stdin=stdin, user=user)

    with pytest.raises(CopyFailed):
        mirror_of(here, there, Growing()).pull(here / JOB, wanted=lambda path: path == "record.json")
    assert not (here / JOB / "record.json").exists()
    mirror.pull(here / JOB, wanted=lambda path: path == "record.json")
    assert (here / JOB / "record.json").read_text() == "second"


@pytest.mark.parametrize("path", ["/etc", "/", "here/../../x"])
def test_paths_outside_are_refused(here, there, path):
    mirror = mirror_of(here, there)
    with pytest.raises(OutsideProject):
        mirror.image(Path(path))
    with pytest.raises(OutsideProject):
        mirror.original(path)
    assert mirror.moved(path) == path


def test_variables_that_name_a_place_are_moved(here, there):
    mirror = mirror_of(here, there)
    assert mirror.moved(str(here / "key")) == str(there / "key")
    assert mirror.moved("/usr/bin") == "/usr/bin"
    assert mirror.original(str(there / JOB)) == here / JOB


@pytest.mark.slow
def test_large_files_travel_over_a_storage_that_both_sides_reach(here, there, s3, monkeypatch, tmp_path):
    monkeypatch.setattr(stores, "LIMIT_S", 0)
    big = here / JOB / "in" / "bigger"
    big.write_bytes(os.urandom(PIECE_BYTES * 7 + 1))
    about = ObjectStore(bucket=s3.bucket, endpoint=s3.endpoint, region=s3.region, min_bytes=2 << 20)
    slurm = SlurmSite(cluster="alpha", store=about, programs=Path(sys.executable).parent)
    transport = Counted(environment=KEYS | {"FUCINA_HOME": str(tmp_path / "home")})
    mirror = Mirror(transport, here=here, there=PurePosixPath(there), carrier=stores.S3Carrier(about, slurm))
    assert mirror.push(here / JOB) == (3 << 20) + big.stat().st_size + 3 + 2
    assert tree(there / JOB) == tree(here / JOB)
    assert transport.sent == 3 + 2, "only the small ones went over the line"
    calls = [call for call in transport.calls if call[1:3] == ["data", "get"]]
    assert len(calls) == 1 + 2, "eight pieces are more than one call may fetch"
    assert not [word for call in calls for word in call if "secret" in word]
    assert mirror.push(here / JOB) == 0


@pytest.mark.slow
def test_a_site_that_does_not_reach_the_storage_says_so(here, there, s3, tmp_path):
    about = ObjectStore(bucket=s3.bucket, endpoint=s3.endpoint, region=s3.region, min_bytes=2 << 20)
    far = SlurmSite(cluster="alpha", store=about, programs=Path(sys.executable).parent)
    carrier = stores.S3Carrier(about, far)
    nobody = Counted(environment={"FUCINA_HOME": str(tmp_path / "home"), "AWS_EC2_METADATA_DISABLED": "true"})
    carrier._about = about.model_copy(update={"endpoint": "http://127.0.0.1:9"})
    with pytest.raises(CopyFailed, match="the site cannot fetch it"):
        Mirror(nobody, here=here, there=PurePosixPath(there), carrier=carrier).push(here / JOB)
    assert not (there / JOB / "in" / "big").exists()
    mirror_of(here, there).push(here / JOB)
    assert tree(there / JOB) == tree(here / JOB)


@pytest.mark.slurm
def test_a_folder_travels_over_ssh(here, slurm_lab, tmp_path):
    from fucina.compute.slurm.ssh import SshTransport  # noqa: PLC0415 - only with the lab
    from tests.compute.slurm.bench import ssh_access  # noqa: PLC0415

    cluster = slurm_lab.clusters["beta"]
    transport = SshTransport(access=ssh_access(cluster, "alice"), environment={})
    try:
        home = transport.run(["sh", "-c", "mktemp -d"]).text.strip()
        mirror = Mirror(transport, here=here, there=PurePosixPath(home))
        assert mirror.push(here / JOB) > 3 << 20
        assert tree(Path(home) / JOB) == tree(here / JOB)
        transport.run(["cp", f"{home}/{JOB}/in/big", f"{home}/{JOB}/record.json"])
        mirror.pull(here / JOB, wanted=lambda path: path == "record.json")
        assert (here / JOB / "record.json").read_bytes() == (here / JOB / "in" / "big").read_bytes()
        transport.run(["rm", "-rf", "--", home])
    finally:
        transport.close()
