"""The network file."""

import pytest

from fucina.network.spec import BadSiteFile, load_network


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
