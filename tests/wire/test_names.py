from chatd.wire.names import ClientEvent, ServerEvent

# A name that is not here is not in the protocol, and one that is, is spoken.
CLIENT_NAMES = {
    "chat:message",
    "chat:typing:start",
    "chat:typing:stop",
    "presence:update",
    "chat:ack",
    "connection:join",
    "connection:leave",
    "chat:history:get",
    "chat:search",
    "answer:cancel",
    "auth:refresh",
}
SERVER_NAMES = {
    "connection:status",
    "chat:history",
    "chat:message",
    "chat:message:sent",
    "chat:message:error",
    "chat:message:status",
    "chat:typing",
    "presence:update",
    "presence:snapshot",
    "queue:overflow",
    "connection:left",
    "auth:expiring",
    "server:draining",
    "chat:error",
    "chat:answer:start",
    "chat:answer:status",
    "chat:answer:rows",
    "chat:answer:end",
}


def test_events_have_the_names_of_the_protocol() -> None:
    assert {event.value for event in ClientEvent} == CLIENT_NAMES
    assert {event.value for event in ServerEvent} == SERVER_NAMES


def test_a_name_goes_into_text_as_itself() -> None:
    assert f"{ClientEvent.HISTORY_GET}" == "chat:history:get"
    assert ClientEvent("chat:message") is ClientEvent.CHAT_MESSAGE
