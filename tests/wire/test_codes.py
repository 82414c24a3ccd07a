from chatd.wire.codes import EXPLANATIONS, Code, Refusal
from tests.rows import rows

# SPEC 3, "Codes", without those of features that are still to come.
CODES = {
    "invalid_payload",
    "invalid_message_id",
    "content_empty",
    "content_too_long",
    "message_id_conflict",
    "forbidden_room",
    "unknown_thread",
    "invalid_query",
    "rate_limited",
    "overloaded",
    "draining",
    "storage_full",
    "storage_error",
    "storage_read_error",
    "internal",
    "unauthorized",
    "token_expired",
    "token_invalid",
    "not_found",
    "db_unavailable",
    "db_timeout",
    "db_cancelled",
    "db_read_only",
    "db_statement_rejected",
    "db_syntax",
    "db_error",
    "db_busy",
    "db_dry_run_unsupported",
    "db_interrupted",
}
RETRYABLE = {
    "rate_limited",
    "overloaded",
    "draining",
    "storage_full",
    "storage_error",
    "storage_read_error",
    "internal",
    "db_unavailable",
    "db_timeout",
    "db_cancelled",
    "db_busy",
    "db_interrupted",
}


def test_the_codes_are_those_of_the_protocol() -> None:
    assert {code.value for code in Code} == CODES


def test_every_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Code)


@rows("code", Code)
def test_an_explanation_is_a_sentence_of_its_own(code: Code) -> None:
    sentence = EXPLANATIONS[code].sentence
    assert sentence[0].isupper() or sentence.startswith("messageId")
    assert sentence.endswith(".")
    assert [explanation.sentence for explanation in EXPLANATIONS.values()].count(sentence) == 1


def test_a_retry_helps_where_the_server_or_the_time_was_at_fault() -> None:
    assert {code for code in Code if EXPLANATIONS[code].retryable is True} == RETRYABLE
    assert {code for code in Code if EXPLANATIONS[code].retryable is False} == CODES - RETRYABLE


@rows("code", Code)
def test_a_refusal_says_what_the_table_says(code: Code) -> None:
    assert Refusal(code).as_error() == {
        "code": code.value,
        "message": EXPLANATIONS[code].sentence,
        "retryable": code.value in RETRYABLE,
    }


def test_a_refusal_says_all_that_is_known() -> None:
    refusal = Refusal(Code.RATE_LIMITED, "Slowly.", path="content", retry_after_ms=0)
    assert refusal.as_error() == {
        "code": "rate_limited",
        "message": "Slowly.",
        "retryable": True,
        "retryAfterMs": 0,
        "path": "content",
    }
