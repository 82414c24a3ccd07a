import { act } from "react";
import { expect, test } from "vitest";
import { Places } from "../../src/page/places";
import { draw } from "../components/rendering";
import { fakeChat, fakeMessage, fakeRoom } from "../fakes";

test("the address names a thread beside its own room alone", () => {
  const opener = fakeMessage(1);
  const rooms = [fakeRoom("demo"), fakeRoom("other")];
  const chat = fakeChat([opener], { room: "demo", rooms });
  draw(chat, <Places />);
  act(() => chat.ui.getState().openPanel({ kind: "thread", threadId: opener.messageId }));
  expect(location.search).toBe(`?room=demo&thread=${opener.messageId}`);
  act(() => chat.store.setState({ room: "other" }));
  expect(location.search).toBe("?room=other");
});
