"""Secrets in files of their own and in credentials: one rule for every key that is a secret."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatd.config import ConfigError, Loaded, explain, load, missing, secret_files
from chatd.config.credentials import Credentials
from chatd.config.databases import DATABASES
from chatd.config.errors import InvalidValue
from chatd.config.kinds import Text, ValueKind
from chatd.config.secret_files import SECRET_BYTES_MAX
from chatd.config.secret_keys import SecretKeys
from chatd.config.sections import about, keys_of, sections
from chatd.config.tables import TableKind
from tests.rows import rows

SECRET = "correct-horse-battery-staple-0123456789"
OTHER = "another-horse-battery-staple-0123456789"
DSN = "postgresql://reader:hunter2@db/sales"


def reading(tmp_path: Path, text: str = "", **env: str) -> Loaded:
    """What comes of a file and an environment; paths are found from `tmp_path`."""
    (tmp_path / "chatd.toml").write_text(text)
    return load(None, env, {}, tmp_path, places=[Path("chatd.toml")])


def refusals(tmp_path: Path, text: str = "", **env: str) -> list[str]:
    """All mistakes, with paths as they are from `tmp_path`; none shows a secret."""
    with pytest.raises(ConfigError) as caught:
        reading(tmp_path, text, **env)
    for secret in (SECRET, OTHER, "hunter2"):
        assert secret not in str(caught.value)
    return [one.replace(f"{tmp_path}/", "") for one in caught.value.sentences]


def credentials(tmp_path: Path, **files: str) -> dict[str, str]:
    """A directory as a service manager makes it; __ stands for a dot. The environment with it."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)
    return {"CREDENTIALS_DIRECTORY": str(directory)}


def test_the_file_names_a_file_with_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    loaded = reading(tmp_path, "[auth]\njwt_secret_file = 'key'\n")
    assert loaded.config.auth.jwt_secret == SECRET
    origin = f"the file key, named by {tmp_path}/chatd.toml"
    assert loaded.origin["auth.jwt_secret"] == origin
    assert f'jwt_secret = "(set, 39 characters)"  # {origin}\n' in explain(loaded)


def test_the_environment_names_a_file_with_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    loaded = reading(tmp_path, CHATD_AUTH__JWT_SECRET_FILE=f"{tmp_path}/key")
    assert loaded.config.auth.jwt_secret == SECRET
    assert loaded.origin["auth.jwt_secret"] == (
        f"the file {tmp_path}/key, named by $CHATD_AUTH__JWT_SECRET_FILE"
    )
    assert SECRET not in repr(loaded)
    assert SECRET not in explain(loaded)


def test_a_credential_has_the_name_of_its_key(tmp_path: Path) -> None:
    loaded = reading(tmp_path, **credentials(tmp_path, auth__jwt_secret=SECRET))
    assert loaded.config.auth.jwt_secret == SECRET
    assert loaded.origin["auth.jwt_secret"] == "$CREDENTIALS_DIRECTORY/auth.jwt_secret"


def test_the_environment_wins_over_a_credential_and_that_over_the_file(tmp_path: Path) -> None:
    env = credentials(tmp_path, auth__jwt_secret=SECRET)
    (tmp_path / "key").write_text(OTHER)
    written = "[auth]\njwt_secret = 'written-in-the-file'\n"
    in_file = "[auth]\njwt_secret_file = 'key'\n"
    assert reading(tmp_path, written, **env).config.auth.jwt_secret == SECRET
    assert reading(tmp_path, in_file, **env).config.auth.jwt_secret == SECRET
    for variable, text in (
        ("CHATD_AUTH__JWT_SECRET", OTHER),
        ("CHATD_AUTH__JWT_SECRET_FILE", "key"),
    ):
        loaded = reading(tmp_path, written, **env, **{variable: text})
        assert loaded.config.auth.jwt_secret == OTHER


SALES = "[databases.sales]\n"
FOREIGN = (
    f"{SALES}command = ['x']\ndialect = 'postgres'\nmapping = 'mcp-alchemy'\n"
    "credentials = 'read-only'\n"
)
WEB = f"{SALES}url = 'https://h/mcp'\ndialect = 'mysql'\nmapping = 'dbhub'\nread_only = false\n"


def test_the_secrets_of_a_database_are_in_files(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(f"{DSN}\r\n")
    (tmp_path / "token").write_text(f"Bearer {SECRET}\n")

    def sales(text: str) -> Any:
        return reading(tmp_path, text).config.databases["sales"]

    assert sales(f"{SALES}postgres_file = 'dsn'\n").postgres == DSN
    foreign = f"{FOREIGN}environment = {{ A = 'b' }}\nenvironment_file = {{ DB_URL = 'dsn' }}\n"
    assert sales(foreign).environment == {"A": "b", "DB_URL": DSN}
    web = f"{WEB}headers_file = {{ Authorization = 'token' }}\n"
    assert sales(web).headers == {"Authorization": f"Bearer {SECRET}"}
    text = explain(reading(tmp_path, foreign))
    assert f"  # DB_URL: the file dsn, named by {tmp_path}/chatd.toml\n" in text
    assert "hunter2" not in text


def test_the_secrets_of_a_database_are_credentials(tmp_path: Path) -> None:
    env = credentials(
        tmp_path,
        databases__sales__postgres=DSN,
        databases__web__headers__Authorization=SECRET,
        databases__tool__environment__DB_URL=DSN,
    )
    web, tool = WEB.replace("sales", "web"), FOREIGN.replace("sales", "tool")
    loaded = reading(tmp_path, f"{SALES}{web}{tool}environment = {{ A = 'b' }}\n", **env)
    databases = loaded.config.databases
    assert databases["sales"].postgres == DSN
    assert databases["sales"].dialect == "postgres"
    assert databases["web"].headers == {"Authorization": SECRET}
    assert databases["tool"].environment == {"A": "b", "DB_URL": DSN}
    text = explain(loaded)
    assert (
        'postgres = "(set, 36 characters)"  # $CREDENTIALS_DIRECTORY/databases.sales.postgres\n'
    ) in text
    assert "hunter2" not in text


def test_every_key_that_is_a_secret_follows_the_rule(tmp_path: Path) -> None:
    """Of sections: what is hidden is a secret by its kind, or has secrets in its entries."""
    (tmp_path / "key").write_text(SECRET)
    found = 0
    for name, section in sections().items():
        for key, field in keys_of(section).items():
            kind = about(field).kind
            assert about(field).secret == (kind.is_secret or kind.entry is not None)
            if kind.is_secret:
                loaded = reading(tmp_path, f"[{name}]\n{key}_file = 'key'\n")
                assert getattr(getattr(loaded.config, name), key) == SECRET
                found += 1
    assert found > 0
    assert {key for key, kind in DATABASES.table.keys.items() if kind.is_secret} == {
        "postgres",
        "environment",
        "headers",
    }


ENTRY = TableKind(
    "a table with key",
    {"key": Text("a text", secret=True), "until": Text("a text")},
    made=type(None),
    make=lambda **values: values,
)


class ListOfTables(ValueKind):
    """As a key with several secrets, each with an end, has one."""

    wants = "a list of tables"
    entry = ENTRY

    def structure(self, value: object) -> Any:
        assert isinstance(value, list)
        return [ENTRY.structure(one) for one in value]


def test_the_tables_of_a_list_follow_the_rule(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(f"{OTHER}\n")
    kind, secrets = ListOfTables(), SecretKeys(tmp_path, Credentials())
    written = [{"key": SECRET}, {"key_file": "old", "until": "tomorrow"}, {"key_file": "gone"}]
    filled = secrets.filled(kind, written, "auth.keys", "the file")
    assert isinstance(filled, list)
    assert kind.structure(filled[:2]) == [{"key": SECRET}, {"key": OTHER, "until": "tomorrow"}]
    assert list(kind.secrets(written)) == ["[0].key"]
    with pytest.raises(InvalidValue, match=r"cannot be read from .* \(No such file"):
        kind.structure(filled[2:])


@rows(
    ("content", "secret"),
    [
        (f"{SECRET}\n", SECRET),
        (f"{SECRET}\r\n", SECRET),
        (f"{SECRET}\n\n", SECRET),
        (f"\ufeff{SECRET}\n", SECRET),
        (f" {SECRET} \n", f" {SECRET} "),
        ("pässwörd ✓ with several words\n", "pässwörd ✓ with several words"),
        ("x" * SECRET_BYTES_MAX, "x" * SECRET_BYTES_MAX),
    ],
)
def test_all_but_the_end_of_the_line_is_the_secret(
    tmp_path: Path, content: str, secret: str
) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    loaded = reading(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key")
    assert loaded.config.auth.jwt_secret == secret


def _put(tmp_path: Path, kind: str) -> None:
    """Something in the place of a file with a secret."""
    place = tmp_path / "key"
    match kind:
        case "directory":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "loop":
            place.symlink_to("key")
        case "dangling":
            place.symlink_to("nowhere")
        case "below a file":
            (tmp_path / "file").write_text("")
            place.symlink_to("file/key")
        case "device":
            place.symlink_to("/dev/zero")
        case "empty":
            place.write_text("")
        case "blank lines":
            place.write_text("\n\r\n\n")
        case "long":
            place.write_bytes(b"x" * 1_000_000)
        case "latin":
            place.write_bytes(SECRET.encode() + b"\xe9\n")
        case "utf-16":
            place.write_text(SECRET, encoding="utf-16")
        case "lines":
            place.write_text(f"{SECRET}\n{OTHER}\n")
        case "tab":
            place.write_text(f"{SECRET}\t\n")
        case "NUL":
            place.write_text(f"{SECRET}\0")


AFTER = "; name a file that this user may read."
NAMED = "the file that is named"
ALONE = "write the secret alone into"


@rows(
    ("kind", "problem"),
    [
        ("nothing", f"cannot be read from {NAMED} (No such file or directory){AFTER}"),
        ("directory", f"cannot be read from the file key (it is a directory, not a file){AFTER}"),
        ("pipe", f"cannot be read from the file key (it is a pipe, not a file){AFTER}"),
        ("device", f"cannot be read from the file key (it is a device, not a file){AFTER}"),
        ("loop", f"cannot be read from the file key (Too many levels of symbolic links){AFTER}"),
        ("dangling", f"cannot be read from the file key (No such file or directory){AFTER}"),
        ("below a file", f"cannot be read from the file key (Not a directory){AFTER}"),
        ("empty", "cannot be in the file key, which is empty; write it there."),
        ("blank lines", "cannot be in the file key, which is empty; write it there."),
        (
            "long",
            f"cannot be in the file key, which has more than 65536 bytes; {ALONE} a file.",
        ),
        ("latin", "cannot be in the file key, which is not UTF-8; save it as UTF-8 text."),
        ("utf-16", "cannot be in the file key, which is not UTF-8; save it as UTF-8 text."),
        *(
            (
                kind,
                (
                    "cannot be in the file key, which has several lines or control characters; "
                    f"{ALONE} one line."
                ),
            )
            for kind in ("lines", "tab", "NUL")
        ),
    ],
)
def test_what_is_no_file_with_a_secret_is_told_in_one_sentence(
    tmp_path: Path, kind: str, problem: str
) -> None:
    tmp_path /= kind
    tmp_path.mkdir()
    _put(tmp_path, kind)
    assert refusals(tmp_path, "[auth]\n\njwt_secret_file = 'key'\n") == [
        f"chatd.toml, line 3: auth.jwt_secret {problem}"
    ]
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key") == [
        f"environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret {problem}"
    ]
    assert refusals(tmp_path, f"{SALES}postgres_file = 'key'\n") == [
        f"chatd.toml, line 2: databases.sales.postgres {problem}"
    ]
    assert refusals(tmp_path, f"{FOREIGN}\nenvironment_file = {{ DB_URL = 'key' }}\n") == [
        f"chatd.toml, line 7: databases.sales.environment.DB_URL {problem}"
    ]


def test_a_file_of_another_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, as whom tests may run, can read all."""

    def refused(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "key").write_text(SECRET)
    monkeypatch.setattr(secret_files, "open_file", refused)
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE="key") == [
        (
            "environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret cannot be read from "
            f"the file key (Permission denied){AFTER}"
        )
    ]


@rows(
    ("text", "env", "told"),
    [
        (
            f"[auth]\njwt_secret = '{SECRET}'\njwt_secret_file = 'key'\n",
            {},
            (
                "chatd.toml, line 2: auth.jwt_secret is written beside jwt_secret_file; leave one "
                "of them out."
            ),
        ),
        (
            f"[auth]\njwt_secret_file = 'key'\njwt_secret = '{SECRET}'\n",
            {},
            (
                "chatd.toml, line 3: auth.jwt_secret is written beside jwt_secret_file; leave one "
                "of them out."
            ),
        ),
        (
            "",
            {"CHATD_AUTH__JWT_SECRET": "", "CHATD_AUTH__JWT_SECRET_FILE": "key"},
            (
                "environment variable CHATD_AUTH__JWT_SECRET_FILE: auth.jwt_secret is written "
                "beside jwt_secret_file; leave one of them out."
            ),
        ),
        (
            f"{SALES}postgres = '{DSN}'\npostgres_file = 'key'\n",
            {},
            (
                "chatd.toml, line 2: databases.sales.postgres is written beside postgres_file; "
                "leave one of them out."
            ),
        ),
        (
            f"{FOREIGN}environment = {{ A = 'hunter2' }}\nenvironment_file = {{ A = 'key' }}\n",
            {},
            (
                "chatd.toml, line 6: databases.sales.environment.A is written beside the path of a "
                "file; leave one of them out."
            ),
        ),
    ],
)
def test_a_secret_that_is_written_twice_is_refused(
    tmp_path: Path, text: str, env: dict[str, str], told: str
) -> None:
    (tmp_path / "key").write_text(OTHER)
    assert refusals(tmp_path, text, **env) == [told]


@rows(
    ("text", "told"),
    [
        (
            "[auth]\njwt_secret_file = 5\n",
            "auth.jwt_secret must be in a file whose path is a text, not a number.",
        ),
        (
            "[auth]\njwt_secret_file = ''\n",
            "auth.jwt_secret must be in a file whose path is a text, not an empty text.",
        ),
        (
            "[auth]\njwt_secret_fil = 'key'\n",
            "auth.jwt_secret_fil is not a key; did you mean auth.jwt_secret_file?",
        ),
        (
            "[auth]\nissuer_file = 'key'\n",
            "auth.issuer_file is not a key; did you mean auth.issuer?",
        ),
        (
            f"{SALES}sqlite = 'a'\npostgre_file = 'key'\n",
            "databases.sales.postgre_file is not a key; did you mean postgres_file?",
        ),
        (
            f"{FOREIGN}environment_file = '/etc/sales.env'\n",
            (
                "databases.sales.environment must be in files whose paths are a table, not that "
                "text."
            ),
        ),
        (
            f"{SALES}sqlite = 'a'\nenvironment_file = {{ A = 'key' }}\n",
            "databases.sales.environment is not used with sqlite; leave it out.",
        ),
        (
            f"{FOREIGN}environment_file = {{ CHATD_X = 'key' }}\n",
            (
                "databases.sales.environment must be a table of variables whose names do not "
                "begin with CHATD_; CHATD_X is no such name."
            ),
        ),
    ],
)
def test_a_wrong_path_is_told_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "key").write_text(OTHER)
    (found,) = refusals(tmp_path, text)
    assert found.partition(": ")[2] == told


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "x\ud800"])
def test_any_text_may_be_given_for_a_path(tmp_path: Path, path: str) -> None:
    (found,) = refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FILE=path)
    assert "auth.jwt_secret cannot be read" in found
    assert found.isprintable()


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


def test_a_misspelt_variable_of_a_file_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert refusals(tmp_path, CHATD_AUTH__JWT_SECRET_FIEL="key") == [
        (
            "environment variable CHATD_AUTH__JWT_SECRET_FIEL is not a setting; did you mean "
            "CHATD_AUTH__JWT_SECRET_FILE?"
        )
    ]
    assert refusals(tmp_path, CHATD_SERVER__HOST_FILE="key")[0].endswith(
        "CHATD_SERVER__HOST_FILE is not a setting; did you mean CHATD_SERVER__HOST?"
    )


def test_a_credential_of_no_secret_is_told_with_the_nearest(tmp_path: Path) -> None:
    env = credentials(
        tmp_path,
        auth__jwt_secrte=SECRET,
        server__port="1",
        databases__sale__postgres=DSN,
        other__program="x",
        tls="x",
    )
    found = refusals(tmp_path, f"{SALES}sqlite = 'a.db'\n", **env)
    assert found == [
        (
            "the credential auth.jwt_secrte is of no key that is a secret; did you mean "
            "auth.jwt_secret?"
        ),
        (
            "the credential databases.sale.postgres is of no key that is a secret; did you mean "
            "databases.sales.postgres?"
        ),
        found[2],
    ]
    assert found[2].startswith("the credential server.port is of no key that is a secret; known")


def test_a_credential_may_have_any_name(tmp_path: Path) -> None:
    env = credentials(tmp_path)
    for name in (b"auth.\xff", b"auth.a\nb", b"auth.", b"auth..jwt_secret", b"AUTH.jwt_secret"):
        Path(os.fsdecode(os.fsencode(env["CREDENTIALS_DIRECTORY"]) + b"/" + name)).touch()
    found = refusals(tmp_path, **env)
    assert len(found) == 4
    assert all(sentence.isprintable() for sentence in found)


def test_a_file_that_is_not_toml_does_not_make_credentials_unknown(tmp_path: Path) -> None:
    env = credentials(tmp_path, databases__sales__postgres=DSN)
    (found,) = refusals(tmp_path, "[databases.sales\n", **env)
    assert "not valid TOML" in found


def test_a_credential_that_is_no_secret_is_told(tmp_path: Path) -> None:
    env = credentials(tmp_path, auth__jwt_secret="", databases__sales__postgres="a\nb")
    place = "credentials"
    assert refusals(tmp_path, SALES, **env) == [
        (
            f"chatd.toml, line 1: databases.sales.postgres cannot be in the file "
            f"{place}/databases.sales.postgres, which has several lines or control characters; "
            "write the secret alone into one line."
        ),
        (
            "the credential auth.jwt_secret: auth.jwt_secret cannot be in the file "
            f"{place}/auth.jwt_secret, which is empty; write it there."
        ),
    ]


def test_a_directory_of_credentials_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert reading(tmp_path, CREDENTIALS_DIRECTORY="").config.auth.jwt_secret == ""
    for place, why in (("nowhere", "No such file or directory"), ("chatd.toml", "Not a directory")):
        assert refusals(tmp_path, CREDENTIALS_DIRECTORY=place) == [
            (
                f"environment variable CREDENTIALS_DIRECTORY: the directory {place} cannot be read "
                f"({why}); run this as the daemon's user, or unset the variable."
            )
        ]
    assert "it is no name of a directory" in refusals(tmp_path, CREDENTIALS_DIRECTORY="a\0b")[0]


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user may look into, as that of a test is not."""
    with tempfile.TemporaryDirectory(prefix="chatd-", dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@rows(
    ("text", "keys"),
    [
        (f"[auth]\njwt_secret = '{SECRET}'\n", "auth.jwt_secret"),
        (f"{SALES}postgres = '{DSN}'\n", "databases.sales.postgres"),
        (
            f"[auth]\njwt_secret = '{SECRET}'\n{FOREIGN}environment = {{ DB_URL = '{DSN}' }}\n",
            "auth.jwt_secret and databases.sales.environment.DB_URL",
        ),
        (f"{FOREIGN}environment = {{ API_KEY = 'x' }}\n", "databases.sales.environment.API_KEY"),
        (f"{WEB}headers = {{ Authorization = 'x' }}\n", "databases.sales.headers.Authorization"),
        (f"{WEB}headers = {{ X-Api-Key = 'x' }}\n", "databases.sales.headers.X-Api-Key"),
        (FOREIGN.replace("['x']", f"['x', '--dsn', '{DSN}']"), "databases.sales.command"),
        (FOREIGN.replace("['x']", "['x', '--password', 'y']"), "databases.sales.command"),
        (WEB.replace("/mcp'", "/mcp?api_key=x'"), "databases.sales.url"),
    ],
)
def test_a_file_with_a_secret_that_others_can_read_is_warned_of(
    open_path: Path, text: str, keys: str
) -> None:
    open_path.chmod(0o755)
    path = open_path / "chatd.toml"
    path.write_text(text)
    path.chmod(0o644)

    def warnings() -> tuple[str, ...]:
        return load(path, {}, {}, open_path).warnings

    assert warnings() == (
        (
            f"The file {path} holds {keys}, and every user of this machine can read it "
            "(mode 0644): take that right away (chmod o-r)."
        ),
    )
    path.chmod(0o640)
    assert warnings() == ()
    path.chmod(0o644)
    open_path.chmod(0o750)
    assert warnings() == ()


@pytest.mark.parametrize(
    "text",
    [
        "[auth]\njwt_secret = ''\nissuer = 'x'\n",
        f"{SALES}postgres = 'postgresql://reader@db/sales'\n",
        f"{FOREIGN}environment = {{ PGSSLMODE = 'verify-full', DB_URL = 'sqlite:////a.db' }}\n",
        f"{WEB}headers = {{ X-Team = 'sales' }}\n",
    ],
)
def test_a_file_without_a_secret_may_be_read_by_everybody(open_path: Path, text: str) -> None:
    (open_path / "chatd.toml").write_text(text)
    (open_path / "chatd.toml").chmod(0o644)
    assert load(open_path / "chatd.toml", {}, {}, open_path).warnings == ()


def test_a_file_that_others_can_change_is_warned_of(open_path: Path) -> None:
    path = open_path / "chatd.toml"
    path.write_text("[server]\nport = 1\n")
    path.chmod(0o666)
    assert load(path, {}, {}, open_path).warnings == (
        (
            f"The file {path} decides what chatd does, and every user of this machine can change "
            "it (mode 0666): take that right away (chmod o-w)."
        ),
    )
    path.chmod(0o664)
    assert load(path, {}, {}, open_path).warnings == ()


def test_a_file_of_a_secret_that_others_can_read_is_warned_of(open_path: Path) -> None:
    (open_path / "key").write_text(SECRET)
    (open_path / "link").symlink_to("key")
    env = {"CHATD_AUTH__JWT_SECRET_FILE": f"{open_path}/link"}
    (open_path / "key").chmod(0o444)
    (warning,) = load(None, env, {}, open_path, places=()).warnings
    assert warning.startswith(f"The file {open_path}/link holds auth.jwt_secret, and every user ")
    assert "(mode 0444)" in warning
    (open_path / "key").chmod(stat.S_IRUSR)
    assert load(None, env, {}, open_path, places=()).warnings == ()


def test_words_of_a_command_that_are_secrets_are_not_shown(tmp_path: Path) -> None:
    text = FOREIGN.replace("['x']", "['x', '--password', 'hunter2', '--api-key=hunter2', '--dsn', "
                           f"'{DSN}', 'host=db password=hunter2']")  # fmt: skip
    shown = explain(reading(tmp_path, text))
    assert "hunter2" not in shown
    assert 'command = ["x", "--password", "***", "--api-key=***", "--dsn", ' in shown


def test_a_key_in_the_address_of_a_db_mcp_is_not_shown(tmp_path: Path) -> None:
    loaded = reading(tmp_path, WEB.replace("/mcp'", "/mcp?api_key=hunter2&room=1'"))
    assert 'url = "https://h/mcp?api_key=***&room=1"\n' in explain(loaded)
