import re

from chatd.cli.docs import documents
from chatd.wire.codes import EXPLANATIONS, HINTS, Code, HintCode, Refusal
from tests.rows import rows


def test_every_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Code)


@rows("code", Code)
def test_an_explanation_is_a_sentence_of_its_own(code: Code) -> None:
    sentence = EXPLANATIONS[code].sentence
    assert sentence[0].isupper() or sentence.startswith("messageId")
    assert sentence.endswith(".")
    assert [explanation.sentence for explanation in EXPLANATIONS.values()].count(sentence) == 1


@rows("code", Code)
def test_the_status_of_a_code_says_whether_a_retry_helps(code: Code) -> None:
    explained = EXPLANATIONS[code]
    may_be_repeated = explained.http_status in (408, 429) or explained.http_status >= 500
    assert explained.retryable is may_be_repeated


@rows("topic", ["http", "answers"])
def test_a_document_tells_the_status_of_each_code_that_it_names(topic: str) -> None:
    table = documents()[topic].partition("\n| status | code")[2].partition("\n\n")[0]
    told = {
        code: int(status)
        for status, rest in re.findall(r"^\| (\d{3}) \|(.*)$", table, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", rest)
        if code in {*Code}
    }
    assert len(told) > 5
    assert told == {code: EXPLANATIONS[Code(code)].http_status for code in told}


def test_every_hint_but_that_of_talk_has_a_sentence_of_its_own() -> None:
    assert set(HINTS) == set(HintCode)
    assert [code for code, sentence in HINTS.items() if sentence is None] == [HintCode.TALK]
    sentences = [sentence for sentence in HINTS.values() if sentence is not None]
    assert all(one[0].isupper() and one.endswith(".") for one in sentences)
    assert len(set(sentences)) == len(sentences)


def test_a_refusal_says_what_the_table_says() -> None:
    for code, explained in EXPLANATIONS.items():
        refusal = Refusal(code)
        assert (refusal.sentence, refusal.retryable) == (explained.sentence, explained.retryable)


def test_a_sentence_of_its_own_replaces_that_of_the_table() -> None:
    assert Refusal(Code.RATE_LIMITED, "Slowly.").sentence == "Slowly."
