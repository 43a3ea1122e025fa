"""Sentences say what the words are, each in its own way, and unknown words are named."""

import pytest
import torch

from genimg.data import scenes, sentences


def test_sentences_in_both_languages():
    assert sentences.say([0, 2], [0, 3], 0) == "a red square left of a blue ring"
    assert sentences.say([1, 0], [1, 2], 2) == "a yellow triangle above a green square"
    assert sentences.say([0, 2], [0, 3], 0, "zh", 0) == "红色方块在蓝色圆环的左边"
    assert sentences.say([0, 2], [0, 3], 0, "zh", 1) == "左边是红色方块，右边是蓝色圆环"


@pytest.mark.parametrize("way", [("en", 0), ("zh", 0), ("zh", 1)])
def test_different_words_give_different_numbers(way):
    words = scenes.all_words()
    numbers = sentences.encode_all(words, *way)
    assert numbers.shape == (len(words["relation"]), sentences.LENGTH)
    assert len(numbers.unique(dim=0)) == len(numbers)
    assert numbers.min() == 0 or way == ("zh", 1)
    assert numbers.max() <= len(sentences.VOCABULARY)


def test_numbers_keep_the_order_and_leave_silent_words_out():
    words = [sentences.VOCABULARY[i - 1] for i in sentences.encode("The red square is LEFT of a blue ring.") if i]
    assert words == ["red", "square", "left", "blue", "ring"]
    words = [sentences.VOCABULARY[i - 1] for i in sentences.encode("左边是一个红色方块，右边是蓝色圆环。") if i]
    assert words == ["左边", "红色", "方块", "右边", "蓝色", "圆环"]


@pytest.mark.parametrize(("text", "word", "near"), [
    ("a rde square left of a ring", "rde", "red"), ("a red squares above", "squares", "square"),
    ("红色圆圈在左边", "圆圈", "圆环"), ("左边是红色方格", "方格", "方块"),
])  # fmt: skip
def test_an_unknown_word_is_named_with_the_nearest(text, word, near):
    with pytest.raises(sentences.UnknownWord, match=f"{word}.*{near}"):
        sentences.encode(text)


def test_a_sentence_too_long_is_refused():
    with pytest.raises(ValueError, match="7 words"):
        sentences.encode("red red red red red red red")


def test_training_never_shows_what_is_held_out():
    kept = sentences.training_words()
    assert not scenes.is_held_out(kept).any()
    assert len(kept["relation"]) == 528 - int(scenes.is_held_out(scenes.all_words()).sum())


def test_mixed_sentences_are_in_every_way_and_say_the_same():
    words = scenes.rows(scenes.all_words(), torch.arange(400))
    numbers = sentences.mixed(words, seed=1)
    ways = torch.stack([sentences.encode_all(words, *way) for way in (("en", 0), ("zh", 0), ("zh", 1))])
    same = (ways == numbers).all(2)  # (3, N)
    assert same.any(0).all()
    assert same[0].float().mean() == 0.5 and 0.15 < same[1].float().mean() < 0.35
