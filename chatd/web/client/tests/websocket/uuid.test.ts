import { expect, test, vi } from "vitest";
import { uuid } from "../../src/websocket/uuid";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("an id is a random UUID in lower case", () => {
  expect(uuid()).toMatch(UUID);
  expect(uuid()).not.toBe(uuid());
});

test("on plain http, where the browser makes none, it is one all the same", () => {
  vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes.fill(0xff) });
  expect(uuid()).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff");
  vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes });
  expect(uuid()).toMatch(UUID);
});
