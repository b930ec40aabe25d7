"""Which calls a channel repeats by itself."""

import json

from learndock.calls import service_config


def test_only_methods_that_change_nothing_are_repeated() -> None:
    (policy,) = json.loads(service_config())["methodConfig"]
    methods = {name["method"] for name in policy["name"]}
    assert {"GetLearnware", "Search", "WhoAmI", "ListLearnwares"} <= methods
    assert not methods & {"CreateToken", "FinishUpload", "Predict", "RevokeToken", "RecordVerdict", "RebuildIndex"}
