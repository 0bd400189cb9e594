"""Settings from file and environment."""

import pytest

from fucina.config import BadSettings, load_settings


def test_defaults_make_one_machine_a_factory(tmp_path):
    settings = load_settings({"FUCINA_HOME": str(tmp_path)})
    assert settings.url == "http://127.0.0.1:8642"
    assert settings.private_key == tmp_path / "keys" / "factory.key"


def test_the_environment_wins_over_the_file(tmp_path):
    (tmp_path / "fucina.toml").write_text("hub_port = 9000\nsite = 'there'\n")
    settings = load_settings({"FUCINA_HOME": str(tmp_path), "FUCINA_HUB_PORT": "9001"})
    assert (settings.hub_port, settings.site) == (9001, "there")


def test_a_secret_comes_from_a_file(tmp_path):
    (tmp_path / "t").write_text("fuc_abc\n")
    assert load_settings({"FUCINA_HOME": str(tmp_path), "FUCINA_TOKEN_FILE": str(tmp_path / "t")}).token == "fuc_abc"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FUCINA_HUBPORT", "1", "Unknown setting 'hubport'"),
        ("FUCINA_HUB_PORT", "high", "hub_port"),
        ("FUCINA_HUB_PORT", "70000", "hub_port"),
        ("FUCINA_TOKEN_FILE", "/no/such/file", "cannot be read"),
        ("FUCINA_SITE_FILE", "/etc/hostname", "Unknown setting 'site_file'"),
    ],
)
def test_bad_settings_name_what_is_wrong(tmp_path, variable, value, said):
    with pytest.raises(BadSettings, match=said):
        load_settings({"FUCINA_HOME": str(tmp_path), variable: value})


@pytest.mark.parametrize("content", [b"hub_port = ", b"\xff\xfe", b"colour = 'red'"])
def test_a_bad_file_is_named(tmp_path, content):
    (tmp_path / "fucina.toml").write_bytes(content)
    with pytest.raises(BadSettings, match=r"fucina\.toml"):
        load_settings({"FUCINA_HOME": str(tmp_path)})
