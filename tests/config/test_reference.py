"""The document of the configuration is what `reference` makes of the keys."""

from importlib import resources

from chatd.config.databases import DATABASES, DOCS
from chatd.config.reference import render
from chatd.config.sections import about, keys_of, sections

RENEW = (
    "from chatd.config.reference import render; "
    "open('chatd/docs/configuration.md', 'w').write(render())"
)


def test_the_shipped_document_is_that_of_the_keys() -> None:
    shipped = resources.files("chatd").joinpath("docs/configuration.md").read_text("utf-8")
    assert shipped == render(), f'renew it with: python -c "{RENEW}"'


def test_every_key_stands_in_the_document_with_its_default() -> None:
    text = render()
    for name, section in sections().items():
        assert f"\n## [{name}]\n" in text
        for name_of_field, field in keys_of(section).items():
            key = about(field).written or name_of_field
            assert f"- `{key} = " in text or f"- `[{name}.{key}.<" in text
    assert list(DOCS) == list(DATABASES.table.keys)
