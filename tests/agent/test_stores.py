"""Inputs from a storage near the site: taken where they are there, asked of the hub where not."""

import hashlib

import pytest
from typer.testing import CliRunner

from fucina.agent.workdir import nearest
from fucina.cli.agents import input_store
from fucina.cli.main import app
from fucina.cli.stores import BadStore, open_store, put_files
from fucina.network.spec import BadSiteFile, ObjectStore, load_site
from tests.hub.conftest import slurm_site

DATA = b"una norma chiara\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def site(s3):
    store = ObjectStore(bucket=s3.bucket, endpoint=s3.endpoint, region=s3.region)
    site = slurm_site()
    return site.model_copy(update={"slurm": site.slurm.model_copy(update={"store": store})})


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.jsonl"
    path.write_bytes(DATA)
    return path


def hub_of(asked):
    def fetch(sha256, path):
        asked.append(sha256)
        path.write_bytes(DATA)

    return fetch


def test_an_input_that_people_stored_is_not_asked_of_the_hub(site, s3, source, tmp_path):
    asked, target = [], tmp_path / "blob"
    fetch = nearest(input_store(site), hub=hub_of(asked))
    fetch(SHA256, target)
    assert (asked, target.read_bytes()) == ([SHA256], DATA)
    target.unlink()
    (stored,) = put_files(open_store(f"{s3.bucket}/fucina", endpoint=s3.endpoint, region=s3.region), [source])
    assert (stored.sha256, stored.num_sent) == (SHA256, len(DATA))
    fetch(SHA256, target)
    assert (asked, target.read_bytes()) == ([SHA256], DATA)


def test_a_storage_that_does_not_answer_stops_nothing(site, tmp_path, caplog):
    silent = site.slurm.store.model_copy(update={"bucket": "nowhere", "endpoint": "http://127.0.0.1:9"})
    site = site.model_copy(update={"slurm": site.slurm.model_copy(update={"store": silent})})
    asked, target = [], tmp_path / "blob"
    nearest(input_store(site), hub=hub_of(asked))(SHA256, target)
    assert asked == [SHA256]
    assert "The hub is asked instead." in caplog.text


def test_sites_without_a_storage_have_none():
    assert input_store(slurm_site()) is None


def run(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_put_and_get_from_the_command_line(s3, source, tmp_path):
    options = ("--store", f"{s3.bucket}/x", "--s3-endpoint", s3.endpoint, "--s3-region", s3.region)
    done = run("put", source, *options)
    assert done.exit_code == 0, done.output
    assert SHA256 in done.output
    target = tmp_path / "target"
    assert run("get", SHA256, target, *options).exit_code == 0
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("put", "nothing.txt", "--store", "inputs/x"), "nothing.txt is no file"),
        (("put", __file__, "--store", "inputs"), "names no folder of a storage"),
        (("put", __file__, "--store", "inputs/../x"), "names no folder of a storage"),
        (("put", __file__, "--store", "nowhere/x"), "does not serve"),
        (("get", "abc", "target", "--store", "inputs/x"), "is no SHA-256"),
        (("get", "0" * 64, "target", "--store", "inputs/x"), "has no content 000000000000"),
    ],
)
def test_mistakes_are_told_in_words(s3, words, said):
    done = run(*words, "--s3-endpoint", s3.endpoint, "--s3-region", s3.region)
    assert done.exit_code not in (0, 75)
    assert said in done.output + done.stderr
    assert "Traceback" not in done.output + done.stderr


def test_a_store_is_a_bucket_and_a_folder(s3):
    assert open_store("s3://inputs/a/b", endpoint=s3.endpoint, region=s3.region)
    for name in ("", "/", "inputs/", "inputs//x", "-x/y", "a b/c", "x/\n"):
        with pytest.raises(BadStore):
            open_store(name, endpoint=s3.endpoint, region=s3.region)


@pytest.mark.parametrize("line", ["bucket: ../x", "bucket: x, folder: /etc", "endpoint: ftp://x", "bucket: b, key: x"])
def test_a_storage_that_is_none_is_refused_in_the_site_file(tmp_path, line):
    path = tmp_path / "site.yaml"
    path.write_text(
        "id: a\nname: A\nexecutor: slurm\n"
        f"slurm: {{cluster: a, store: {{{line}}}}}\n"
        "partitions: [{id: gpu, accelerator: {id: x, tflops_bf16: 1, memory_gib: 1}}]\n"
    )
    with pytest.raises(BadSiteFile, match="store"):
        load_site(path)
