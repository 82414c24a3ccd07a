import { expect, test } from "vitest";
import { linkedPlace, messageLink } from "../../src/messages/links";

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

test("the place of a link is found again", () => {
  const url = "https://chat.example/x/";
  const place = { room: "a b&c", seq: 3, threadId: "t#1" };
  expect(linkedPlace(messageLink(url, place), url)).toEqual(place);
  expect(linkedPlace(`${url}?room=demo`, url)).toEqual({ room: "demo" });
});

test.each([
  "https://chat.example/x/?room=demo#token=secret",
  "https://chat.example/x/?at=3",
  "https://chat.example/?room=demo",
  "https://chat.example.evil.example/x/?room=demo",
])("%s is no place in this chat", (link) => {
  expect(linkedPlace(link, "https://chat.example/x/")).toBeUndefined();
});
