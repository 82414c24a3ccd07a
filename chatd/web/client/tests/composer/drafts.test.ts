import { describe, expect, test, vi } from "vitest";
import { Drafts, joined } from "../../src/composer/drafts";
import { browserStorage } from "../../src/websocket/storage";

const PLACE = { url: "http://chat.test/", userId: "ada", room: "demo" };

describe("drafts", () => {
  test("are kept by server, user, room and thread, whatever these are called", () => {
    localStorage.clear();
    const drafts = new Drafts(browserStorage());
    const places = [
      PLACE,
      { ...PLACE, room: "other" },
      { ...PLACE, userId: "bob" },
      { ...PLACE, url: "http://chat.test/b/" },
      { ...PLACE, threadId: "1" },
      { ...PLACE, room: 'demo",null]' },
      { ...PLACE, userId: "ada.draft" },
      { ...PLACE, userId: 'ada.draft ["demo"' },
    ];
    for (const [at, place] of places.entries()) drafts.write(place, `text ${at}`);
    const again = new Drafts(browserStorage());
    expect(places.map((place) => again.read(place))).toEqual(places.map((_, at) => `text ${at}`));
    for (const place of places) again.write(place, "");
    expect(localStorage).toHaveLength(0);
  });

  test("stay in memory where the browser stores nothing, and say so", () => {
    vi.stubGlobal("localStorage", {
      getItem: () => null,
      removeItem: () => {},
      setItem() {
        throw new DOMException("full", "QuotaExceededError");
      },
    });
    const drafts = new Drafts(browserStorage());
    expect(drafts.write(PLACE, "kept")).toBe(false);
    expect(drafts.read(PLACE)).toBe("kept");
    expect(drafts.write(PLACE, "")).toBe(true);
    expect(drafts.read(PLACE)).toBe("");
  });

  test("that want one box are all in it", () => {
    expect(joined("", "a", "", "b")).toBe("a\nb");
  });
});
