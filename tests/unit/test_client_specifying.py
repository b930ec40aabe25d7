"""Summarising data through the client."""

import pytest

from learndock.client.specifying import specify
from learndock.errors import InvalidInput


def test_an_unknown_modality_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        specify([[0.0]], modality="sound")
    assert caught.value.field == "modality"
