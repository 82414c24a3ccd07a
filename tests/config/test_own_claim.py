"""A claim that says who is an administrator is not one that users write."""

import pytest

from chatd.config.errors import InvalidValue
from chatd.config.kinds import OwnClaim
from tests.rows import rows


@rows("path", ["", "role", "app_metadata.roles"])
def test_a_path_of_its_issuer_is_taken(path: str) -> None:
    assert OwnClaim().structure(path) == path


@rows("path", ["user_metadata.role", "user_metadata", "a..b", "app_metadata.", "a\nb", 7, None])
def test_what_users_write_and_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(InvalidValue, match="user_metadata"):
        OwnClaim().structure(path)
