"""Each test of the codec describes its annotations anew: what it proves does not depend on the tests before it."""

from __future__ import annotations

import pytest

from aion_trio.codec import lines, values


@pytest.fixture(autouse=True)
def _no_shapes_of_other_tests() -> None:
    values._shapes.cache_clear()
    lines._field_shapes.cache_clear()
