"""The network file."""

from importlib.resources import files

import pytest

from fucina.network.spec import BadSiteFile, SlurmSite, load_network, load_site


def test_the_shipped_file_has_this_machine():
    site = load_network().sites[0]
    assert site.id == "local"
    assert site.partition("cpu").accelerator.tflops_bf16 > 0


def test_an_unknown_partition_names_the_known():
    with pytest.raises(BadSiteFile, match="no partition 'gpu'") as caught:
        load_network().sites[0].partition("gpu")
    assert "cpu" in caught.value.hint


@pytest.mark.parametrize("text", ["sites: []", "sites: 3", "{", "valid_from: 2026-01-01\nsites: [{id: x}]", ""])
def test_a_bad_file_is_named(tmp_path, text):
    path = tmp_path / "network.yaml"
    path.write_text(text)
    with pytest.raises(BadSiteFile, match=r"network\.yaml"):
        load_network(path)


def test_the_template_is_a_site_file_with_every_field(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(files("fucina.network").joinpath("site-template.yaml").read_text("utf-8"))
    site = load_site(path)
    assert site.slurm is not None
    assert set(SlurmSite.model_fields) - site.slurm.model_fields_set == set()


PARTITION = "{id: a, accelerator: {id: b, tflops_bf16: 1, memory_gib: 1}}"


PARTITION = "{id: a, accelerator: {id: b, tflops_bf16: 1, memory_gib: 1}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: [", "is not YAML"),
        ("id: x", "partitions: Field required"),
        ("- 1", "valid dictionary"),
        ("", "valid dictionary"),
        (f"id: x\nname: x\nexecutor: slurm\npartitions: [{PARTITION}]", "no section `slurm`"),
        ("id: x\nnombre: x", "nombre: Extra inputs"),
    ],
)
def test_a_bad_site_file_is_said_in_words(tmp_path, text, said):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(BadSiteFile, match=said):
        load_site(path)
    with pytest.raises(BadSiteFile, match="cannot be read"):
        load_site(tmp_path / "none.yaml")
