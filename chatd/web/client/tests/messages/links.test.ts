import { expect, test } from "vitest";
import { messageLink } from "../../src/messages/links";

test("a link names the room and the place", () => {
  expect(messageLink("https://chat.example/x/", { room: "demo", seq: 12 })).toBe(
    "https://chat.example/x/?room=demo&at=12",
  );
});

test("a link to a reply names its thread", () => {
  const link = new URL(messageLink("http://h/", { room: "a b&c", seq: 3, threadId: "t#1" }));
  expect(Object.fromEntries(link.searchParams)).toEqual({ room: "a b&c", at: "3", thread: "t#1" });
});

test("a link holds nothing of the address that it is made from", () => {
  expect(messageLink("http://h/?room=x&token=secret#token=secret", { room: "demo" })).toBe(
    "http://h/?room=demo",
  );
});
