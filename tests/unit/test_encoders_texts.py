"""Texts as owners have them, and the languages that are noted."""

from pathlib import Path

import pytest

from learndock.encoders.languages import languages_of
from learndock.encoders.texts import Texts
from learndock.errors import InvalidInput

SENTENCES = {
    "de": "Das ist nicht der erste Brief, den ich von dir bekomme, und er wird auch nicht der letzte sein.",
    "en": "This is not the first letter that I have from you, and it is not the last of them.",
    "es": "Esta no es la primera carta que me escribes, pero es más larga que las otras y está muy bien.",
    "fr": "Ce n'est pas la première lettre que vous avez écrite, et elle est dans une enveloppe avec les autres.",
    "it": "Non è la prima lettera che mi scrivi, ma è più lunga delle altre e anche questo mi piace.",
    "nl": "Dit is niet de eerste brief van jou, maar hij is ook langer dan de andere en wij zijn er blij mee.",
    "pt": "Não é a primeira carta que você escreve, mas é mais longa do que as outras e também muito boa.",
    "ru": "Это не первое письмо, которое я получил.",
    "zh": "这不是我收到的第一封信。",
    "ja": "これは私が受け取った最初の手紙ではありません。",
    "ko": "이것은 내가 받은 첫 번째 편지가 아니다.",
    "el": "Αυτό δεν είναι το πρώτο γράμμα.",
    "ar": "هذه ليست الرسالة الأولى التي تلقيتها",
}


@pytest.mark.parametrize(("language", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_a_sentence_tells_its_language(language: str, sentence: str) -> None:
    assert languages_of([sentence]) == (language,)


def test_languages_come_by_how_often_they_occur() -> None:
    texts = [SENTENCES["en"]] * 20 + [SENTENCES["de"]] * 60 + [SENTENCES["fr"]] * 2
    assert languages_of(texts) == ("de", "en")


@pytest.mark.parametrize(
    "texts", [["42 17", "3.14"], ["asdf qwer"], ["ok"], ["SELECT x FROM y"], [SENTENCES["en"], "1", "2", "3"]]
)
def test_nothing_is_said_where_it_is_unsure(texts: list[str]) -> None:
    assert languages_of(texts) == ()


def test_many_texts_are_sampled_evenly() -> None:
    assert set(languages_of([SENTENCES["en"]] * 2500 + [SENTENCES["de"]] * 2500)) == {"de", "en"}


def test_a_file_holds_one_text_a_line(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes("\ufefferster\n\n  \nzweiter Text\r\n".encode())
    assert Texts.of(file).values == ("erster", "zweiter Text")


def test_a_folder_holds_one_text_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, text in {"b.txt": "B\nb", "a/c.txt": "C", ".d.txt": "D", "e.md": "E"}.items():
        (tmp_path / name).write_text(text)
    assert Texts.of(str(tmp_path)).values == ("C", "B\nb")


def test_another_encoding_must_be_named(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes("größer".encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"texts\.txt is not utf-8"):
        Texts.of(file)
    assert Texts.of(file, file_encoding="latin-1").values == ("größer",)
    with pytest.raises(InvalidInput) as caught:
        Texts.of(file, file_encoding="klingon")
    assert caught.value.field == "file_encoding"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "no texts"),
        (["a", " \n", ""], "2 of 3 texts are empty, the first at position 1"),
        (["a", 7], "Item 1 is int"),
        (["a", None], "Item 1 is NoneType"),
        ("a single text", "goes into a list"),
    ],
)
def test_what_is_no_text_is_refused(items: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Texts.of(items)


def test_a_folder_without_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no \.txt file"):
        Texts.of(tmp_path)
