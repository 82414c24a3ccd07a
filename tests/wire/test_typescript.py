"""The types that the page is compiled with are those of the wire."""

from pathlib import Path

from chatd.wire.typescript import typescript

FILE = Path(__file__).parents[2] / "chatd/web/client/src/websocket/wire.gen.ts"


def test_the_file_of_the_page_is_what_the_catalogue_says() -> None:
    assert FILE.read_text() == typescript(), (
        "The protocol has changed: python -m chatd.wire.typescript > "
        "chatd/web/client/src/websocket/wire.gen.ts"
    )


def test_optional_fields_are_absent_and_never_null() -> None:
    text = typescript()
    assert "  threadId?: string;" in text
    assert "  type: string | null;" in text  # a column's type is always there, and may be unknown


def test_each_event_has_its_payload_and_its_ack() -> None:
    text = typescript()
    assert '  "chat:message:edited": MessageEdited;' in text
    assert '  "chat:message:edit": MessageEdit;' in text
    assert '  "chat:message:edit": ChangeAck | RefusedAck;' in text
    assert '  edit_conflict: { retryable: false, sentence: "' in text
