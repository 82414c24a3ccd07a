import { expect, test, vi } from "vitest";
import { browserStorage, ownedPrefix } from "../../src/websocket/storage";

function broken(): never {
  throw new DOMException("full", "QuotaExceededError");
}

test("what is written is read again by the next page", () => {
  expect(browserStorage().write("chatd.a", "1")).toBe(true);
  expect(browserStorage().read("chatd.a")).toBe("1");
  browserStorage().remove("chatd.a");
  expect(browserStorage().read("chatd.a")).toBeUndefined();
});

test("a storage that is full, forbidden or missing keeps it as long as the page lives", () => {
  for (const storage of [undefined, { getItem: broken, setItem: broken, removeItem: broken }]) {
    vi.stubGlobal("localStorage", storage);
    const store = browserStorage();
    expect(store.write("chatd.a", "1")).toBe(false);
    expect(store.read("chatd.a")).toBe("1");
    expect(store.keys("chatd.")).toContain("chatd.a");
    store.remove("chatd.a");
    expect(store.read("chatd.a")).toBeUndefined();
  }
});

test("keys of two users, and of two servers, never begin alike", () => {
  const prefixes = [
    ownedPrefix("http://a/", "ada"),
    ownedPrefix("http://a/", "ada.b"),
    ownedPrefix("http://a/b/", "ada"),
    ownedPrefix("http://a/", "bob"),
  ];
  for (const one of prefixes) {
    for (const other of prefixes) {
      if (one !== other) expect(one.startsWith(other)).toBe(false);
    }
  }
});
