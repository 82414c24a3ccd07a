import pytest

from chatd.engineio import PacketType, Reaction, decode_text, reaction_to


@pytest.mark.parametrize(
    ("text", "reaction"),
    [
        ("4hello", Reaction.DELIVER),
        ("bAQID", Reaction.DELIVER),
        ("3", Reaction.RE_ARM),
        ("3foo", Reaction.RE_ARM),
        ("1", Reaction.END),
        ("2", Reaction.BREACH),
        ("2probe", Reaction.BREACH),
        ("0", Reaction.IGNORE),
        ("5", Reaction.IGNORE),
        ("6", Reaction.IGNORE),
    ],
)
def test_a_packet_from_a_client_is_met_as_the_reference_does(text: str, reaction: Reaction) -> None:
    assert reaction_to(decode_text(text).type) is reaction


@pytest.mark.parametrize("packet_type", PacketType)
def test_every_type_has_a_reaction(packet_type: PacketType) -> None:
    assert isinstance(reaction_to(packet_type), Reaction)
