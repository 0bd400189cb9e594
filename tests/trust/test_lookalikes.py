import pytest

from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData
from fucina.data.validators import is_card, is_codice_fiscale, is_iban
from fucina.trust.lookalikes import lookalikes


@pytest.mark.parametrize("kind", FOUND_BY_SHAPE)
def test_lookalikes_are_different_valid_and_repeated_by_their_seed(kind: PersonalData):
    found = lookalikes(kind, "ada.ferrante4821@example.org", count=255, seed=5)

    assert len(found) == len(set(found)) == 255
    assert found == lookalikes(kind, "ada.ferrante4821@example.org", count=255, seed=5)
    assert found != lookalikes(kind, "ada.ferrante4821@example.org", count=255, seed=6)
    valid = {PersonalData.IBAN: is_iban, PersonalData.CODICE_FISCALE: is_codice_fiscale}.get(kind)
    if valid is not None:
        assert all(map(valid, found))
    if kind is PersonalData.CREDIT_CARD:
        assert all(is_card(value.replace(" ", "")) for value in found)


def test_the_name_in_an_address_stays_and_the_value_itself_is_never_drawn():
    found = lookalikes(PersonalData.EMAIL, "ada.ferrante4821@example.org", count=255, seed=5)

    assert all(value.startswith("ada.ferrante") for value in found)
    assert "ada.ferrante4821@example.org" not in found
    assert lookalikes(PersonalData.PHONE, found[0], count=3, seed=5)
    again = lookalikes(PersonalData.IP_ADDRESS, "1.2.3.4", count=1, seed=5)
    assert lookalikes(PersonalData.IP_ADDRESS, again[0], count=1, seed=5) != again
