"""JSON that every parser takes."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from genimg.system import files

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def as_read(content):
    if isinstance(content, dict):
        return {key: as_read(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [as_read(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


@given(PLAIN)
def test_whatever_is_written_is_json_and_what_is_not_finite_is_null(content):
    assert json.loads(files.as_json(content), parse_constant=refuse) == as_read(content)
