import pytest

from fucina.data.names import Gazetteer, read_gazetteer
from fucina.data.personal import redact_batch
from fucina.data.recipe import PersonalData
from fucina.data.screen import BadWordList
from fucina.data.sources import resolve

GAZETTEER = Gazetteer(names=frozenset({"giulia", "łukasz", "jean", "ştefan", "åsa", "müller"}))


def _found(text):
    data = text.encode()
    return [data[start:end].decode() for start, end in GAZETTEER.search(data)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ieri Giulia Bianchi ha scritto.", ["Giulia Bianchi"]),
        ("La lettera di Giulia D'Amico e di suo padre.", ["Giulia D'Amico"]),
        ("Rozmawiał z nim Łukasz Wiśniewski.", ["Łukasz Wiśniewski"]),
        ("Selon Jean-Pierre de la Tour, oui.", ["Jean-Pierre de la Tour"]),
        ("L-am văzut pe Ştefan cel Mare.", []),
        ("Mötet leddes av Åsa Öberg i Umeå.", ["Åsa Öberg"]),
        ("Frau Schneider kommt morgen.", ["Schneider"]),
        ("Dott.ssa Conti e Sig. Verdi", ["Conti", "Verdi"]),
        ("Die Stadt München und Giulia.", []),
        ("Ministero dei Trasporti", []),
        ("GIULIA BIANCHI", []),
        ("", []),
    ],
)
def test_names_have_two_words_or_a_title(text, names):
    assert _found(text) == names


def test_names_give_way_with_other_values_beside_them():
    text = b"Giulia Bianchi scrive da giulia.bianchi@example.org ogni giorno."

    [done] = redact_batch([text], kinds=frozenset(PersonalData), more=((PersonalData.NAME, GAZETTEER.search),))

    assert done.text.decode() == "[NAME] scrive da [EMAIL] ogni giorno."
    assert [finding.kind for finding in done.findings] == [PersonalData.NAME, PersonalData.EMAIL]


def test_a_list_is_read_and_a_wrong_one_explained(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("# given names\nGiulia\nŁukasz\n", encoding="utf-8")
    assert read_gazetteer(path).names == {"giulia", "łukasz"}
    path.write_text("Giulia Bianchi\n", encoding="utf-8")
    with pytest.raises(BadWordList, match="Giulia|giulia"):
        read_gazetteer(path)


def test_prepare_redacts_names_only_where_a_list_is_given(run, tmp_path, jsonl, italian):
    jsonl(tmp_path / "a.jsonl", [f"{text}\nGiulia Bianchi abita qui da molti anni.\n" for text in italian[:6]])
    (tmp_path / "names.txt").write_text("Giulia\n", encoding="utf-8")
    names = resolve([("names.txt", "", "")], base=tmp_path)[0]
    with_list = run("a.jsonl", names=names.model_dump(), num_canaries=0)
    without = run("a.jsonl", num_canaries=0)

    assert with_list.card.redactions["name"] >= with_list.card.num_documents
    assert "name" not in without.card.redactions
    assert "Giulia" not in (with_list.out / "private" / "personal.json").read_text()
