import { expect, test, vi } from "vitest";
import { serverUrl, socketPlace } from "../../src/websocket/url";

test.each([
  ["http://nas:8765", "http://nas:8765/"],
  ["https://example.org/chat", "https://example.org/chat/"],
  ["https://example.org/chat/?room=demo#token=x", "https://example.org/chat/"],
])("%s is the server at %s", (given, url) => {
  expect(serverUrl(given)).toBe(url);
});

test("without a word it is where the page is, below whatever path a proxy has it", () => {
  vi.stubGlobal("location", { href: "https://example.org/team/chat/?room=demo#12" });
  expect(serverUrl(undefined)).toBe("https://example.org/team/chat/");
  expect(serverUrl("/other")).toBe("https://example.org/other/");
});

test("where there is no page there is no place, and nothing breaks", () => {
  vi.stubGlobal("location", undefined);
  expect(serverUrl(undefined)).toBe("");
});

test("socket.io gets the origin, and the path below the proxy's", () => {
  expect(socketPlace("https://example.org/team/chat/")).toEqual({
    origin: "https://example.org",
    path: "/team/chat/socket.io/",
  });
});
