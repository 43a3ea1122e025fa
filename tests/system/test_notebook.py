"""Text as a page and a shell take it."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from genimg.system.notebook import WIDTH, as_typed, folded


@given(st.lists(st.tuples(st.sampled_from(["--out", "--steps", "--diff-augment"]), st.text("abc/", min_size=1))))
def test_a_command_is_shown_as_a_shell_takes_it(options):
    line = " ".join(["python -m genimg train gan", *(f"{name} {value}" for name, value in options)])
    shown = as_typed(line)
    assert shown.startswith("$ ")
    assert shlex.split(shown[2:].replace("\\\n", " ")) == shlex.split(line)
    assert all(part.lstrip().startswith("--") for part in shown.split("\n")[1:]), "an option is parted from its value"
    longest = max((len(name) + len(value) for name, value in options), default=0)
    assert max(map(len, shown.split("\n"))) <= max(WIDTH, longest + 10)


def test_what_a_program_says_is_folded_and_nothing_of_it_lost():
    said = "short\n\n  an indented line\n" + "a word " * 40
    lines = folded(said).split("\n")
    assert lines[:3] == ["short", "", "  an indented line"]
    assert max(map(len, lines)) <= WIDTH and len(lines) > 4
    assert " ".join(lines[3:]).split() == ("a word " * 40).split()
