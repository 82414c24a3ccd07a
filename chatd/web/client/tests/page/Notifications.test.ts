import { expect, test } from "vitest";
import { tidingsOf } from "../../src/page/Notifications";
import { fakeMessage, fakeRoom, fakeState, fakeView } from "../fakes";

test.each([
  ["bob", "Bob: message 1"],
  ["db:demo", "Answer: message 1"],
])("what %s has written is told with who it is from", (userId, body) => {
  const message = fakeMessage(1, { userId, ...(userId === "bob" ? {} : { name: "db:demo" }) });
  const now = fakeState({
    rooms: [fakeRoom("demo", { lastSeq: 1, unread: 1 })],
    messages: new Map([[message.messageId, message]]),
    views: new Map([["demo", fakeView([message])]]),
  });
  expect(tidingsOf(now, fakeState(), "everything")).toEqual([
    { room: "demo", title: "demo", body },
  ]);
});
