"""What is found of the key set of an issuer."""

import json
from pathlib import Path

from chatd.app.deep.check import Verdict
from chatd.app.deep.issuer import look_at_key_set
from chatd.config import AuthConfig
from tests.app.deep.surroundings import here

KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


async def test_a_key_set_is_read_and_counted(tmp_path: Path) -> None:
    assert await look_at_key_set(here(tmp_path)) is None
    surroundings = here(tmp_path, auth=AuthConfig(jwks="keys.json"))
    told = []
    (tmp_path / "empty.json").write_text('{"keys": []}')
    legacy = here(tmp_path, auth=AuthConfig(jwks="empty.json", jwt_secret="x" * 40))
    found = await look_at_key_set(legacy)
    assert found is not None
    assert found.verdict is Verdict.FINE
    assert "auth.jwt_secret" in found.sentence
    for document in (None, "x", {"keys": []}, {"keys": [KEY]}, {"keys": [KEY, {"kty": "x"}]}):
        if document is not None:
            (tmp_path / "keys.json").write_text(json.dumps(document))
        found = await look_at_key_set(surroundings)
        assert found is not None
        told.append((found.verdict, found.exit_code))
    assert told == [
        (Verdict.WRONG, 1),
        (Verdict.WRONG, 1),
        (Verdict.WRONG, 1),
        (Verdict.FINE, 0),
        (Verdict.DOUBTFUL, 0),
    ]
