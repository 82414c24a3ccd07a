"""No error and nothing that is shown has a secret in it, wherever somebody wrote it."""

from pathlib import Path

from chatd.config import explain, missing
from tests.config.secrets import (
    DSN,
    FOREIGN,
    OTHER,
    SALES,
    SECRET,
    WEB,
    reading,
    refusals,
)
from tests.rows import rows


@rows(
    "text",
    [
        f"[auth]\njwt_secret_file = '{SECRET}'\n",
        f"[auth]\njwt_secret_file = '/{SECRET}/{OTHER}'\n",
        f"[auth]\njwt_secret_file = ['{SECRET}']\n",
        f"[auth]\njwt_secret = ['{SECRET}']\n",
        f"auth = '{SECRET}'\n",
        f"jwt_secret = '{SECRET}'\n",
        f"[server]\njwt_secret = '{SECRET}'\n",
        f"databases = '{DSN}'\n",
        f"[databases]\nsales = '{DSN}'\n",
        f"{SALES}postgres = ['{DSN}']\n",
        f"{SALES}postgres_file = '{DSN}'\n",
        f"{SALES}url = '{DSN}'\n",
        f"{SALES}command = '{DSN}'\n",
        f'{SALES}command = ["x", "{DSN}\\u0000"]\n',
        f"{SALES}environment = '{DSN}'\n",
        f"{SALES}environment = {{ A = ['{DSN}'] }}\n",
        f"{SALES}environment_file = '{DSN}'\n",
        f"{SALES}environment_file = {{ DB_URL = '{DSN}' }}\n",
        f"{SALES}headers = ['{DSN}']\n",
        f"[auth]\njwt_secret = {SECRET}\n",
        f"[auth]\njwt_secret = '{SECRET}\n",
    ],
)
def test_a_secret_in_a_wrong_place_is_not_shown(tmp_path: Path, text: str) -> None:
    assert refusals(tmp_path, text)


def test_a_secret_in_the_place_of_a_path_is_not_shown(tmp_path: Path) -> None:
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE=SECRET)
    (found,) = missing(reading(tmp_path, f"{SALES}sqlite = '{DSN}'\n").config, {}, tmp_path)
    assert "hunter2" not in found[1]


def test_words_of_a_command_that_are_secrets_are_not_shown(tmp_path: Path) -> None:
    text = FOREIGN.replace("['x']", "['x', '--password', 'hunter2', '--api-key=hunter2', '--dsn', "
                           f"'{DSN}', 'host=db password=hunter2']")  # fmt: skip
    shown = explain(reading(tmp_path, text))
    assert "hunter2" not in shown
    assert 'command = ["x", "--password", "***", "--api-key=***", "--dsn", ' in shown


def test_a_key_in_the_address_of_a_db_mcp_is_not_shown(tmp_path: Path) -> None:
    loaded = reading(tmp_path, WEB.replace("/mcp'", "/mcp?api_key=hunter2&room=1'"))
    assert 'url = "https://h/mcp?api_key=***&room=1"\n' in explain(loaded)
