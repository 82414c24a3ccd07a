"""Who is an administrator, by the claims of a token."""

from typing import Any

from chatd.auth.role import AdministratorRule, is_own_claim
from chatd.auth.tokens import Identity
from tests.rows import rows

RULE = AdministratorRule("app_metadata.role", "admin")


def identity(**claims: Any) -> Identity:
    return Identity("ada", None, 0, claims)


@rows(
    ("claims", "is_one"),
    [
        ({"app_metadata": {"role": "admin"}}, True),
        ({"app_metadata": {"role": ["editor", "admin"]}}, True),
        ({"app_metadata": {"role": []}}, False),
        ({"app_metadata": {"role": "administrator"}}, False),
        ({"app_metadata": {"role": "Admin"}}, False),
        ({"app_metadata": {"role": {"admin": True}}}, False),
        ({"app_metadata": {"role": True}}, False),
        ({"app_metadata": {"role": [["admin"]]}}, False),
        ({"app_metadata": "admin"}, False),
        ({"app_metadata": None}, False),
        ({"user_metadata": {"role": "admin"}}, False),
        ({"role": "admin"}, False),
        ({"app_metadata.role": "admin"}, False),
        ({}, False),
    ],
)
def test_a_claim_that_its_issuer_writes_makes_an_administrator(
    claims: dict[str, Any], is_one: bool
) -> None:
    assert RULE.admits(identity(**claims)) is is_one


@rows("path", ["", "user_metadata.role", "app_metadata.user_metadata.role"])
def test_without_a_claim_and_by_what_users_write_nobody_is_one(path: str) -> None:
    everything = {"role": "admin", "": "admin"}
    claims = {"user_metadata": everything, "app_metadata": {"user_metadata": everything}}
    assert not AdministratorRule(path, "admin").admits(identity(**claims, **everything))


@rows(
    ("path", "is_own"),
    [
        ("", True),
        ("role", True),
        ("app_metadata.roles", True),
        ("user_metadata", False),
        ("user_metadata.role", False),
        ("raw_user_meta_data.role", False),
        ("a..b", False),
        (".", False),
    ],
)
def test_paths_into_what_users_write_are_no_claims_of_a_role(path: str, is_own: bool) -> None:
    assert is_own_claim(path) is is_own
