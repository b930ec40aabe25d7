"""How much models at home may leave behind is the user's to say."""

from __future__ import annotations

import pytest

from learndock.client.at_home import DEFAULT_PACKAGES_BYTES, AtHome
from learndock.errors import InvalidInput
from learndock.sandbox.environment import DEFAULT_MAX_BYTES


def test_there_is_a_limit_without_a_word() -> None:
    home = AtHome.of_user({})
    assert home.max_packages_bytes == DEFAULT_PACKAGES_BYTES
    assert home.max_environments_bytes == DEFAULT_MAX_BYTES


def test_the_environment_says_how_much() -> None:
    home = AtHome.of_user({"LEARNDOCK_CACHE_BYTES": "1000", "LEARNDOCK_CACHE_ENVIRONMENTS_BYTES": "0"})
    assert (home.max_packages_bytes, home.max_environments_bytes) == (1000, 0)


@pytest.mark.parametrize("text", ["-1", "10 GB", "1e9", "²"])
def test_what_is_no_number_of_bytes_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="LEARNDOCK_CACHE_BYTES"):
        AtHome.of_user({"LEARNDOCK_CACHE_BYTES": text})
