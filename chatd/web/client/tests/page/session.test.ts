import { afterEach, describe, expect, test, vi } from "vitest";
import { claimsOf, decideOnLink, Session, takeTokenOfLink } from "../../src/page/session";

const NOW = 1_800_000_000_000;

function tokenOf(claims: Record<string, unknown>): string {
  const segment = (value: unknown) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  return `${segment({ alg: "HS256" })}.${segment(claims)}.signature`;
}

const ada = tokenOf({
  sub: "ada",
  exp: NOW / 1_000 + 600,
  user_metadata: { full_name: "Ada Łukasz" },
});
const bob = tokenOf({ sub: "bob", exp: NOW / 1_000 + 600 });

afterEach(() => {
  localStorage.clear();
  history.replaceState(null, "", "/");
});

describe("the token of a link", () => {
  test("leaves the address bar before anything is drawn", () => {
    history.replaceState(null, "", `/?room=demo#token=${ada}`);
    expect(takeTokenOfLink()).toBe(ada);
    expect(location.hash).toBe("");
    expect(location.search).toBe("?room=demo");
  });

  test.each([
    ["nobody is signed in", ada, undefined, "use"],
    ["the same user is", ada, tokenOf({ sub: "ada" }), "use"],
    ["somebody else is", bob, ada, "ask"],
    ["it has run out, and the other has not", tokenOf({ sub: "ada", exp: 1 }), ada, "ignore"],
    [
      "both have run out, of two users",
      tokenOf({ sub: "bob", exp: 1 }),
      tokenOf({ sub: "ada", exp: 1 }),
      "ask",
    ],
    ["it is no token", "rubbish", ada, "ask"],
  ] as const)("where %s", (_, link, stored, decision) => {
    expect(decideOnLink(link, stored, NOW)).toBe(decision);
  });
});

describe("a token that a link has replaced", () => {
  test("counts again where the server refuses that of the link, once", () => {
    const session = new Session();
    session.keep(ada);
    const forged = tokenOf({ sub: "ada", exp: NOW / 1_000 + 9_000 });
    session.takeLink(forged);
    expect(session.token()).toBe(forged);
    expect(session.takeBack(NOW)).toBe(ada);
    expect(session.token()).toBe(ada);
    expect(session.takeBack(NOW)).toBeUndefined();
  });

  test("does not where it has run out by then, or where nobody was signed in", () => {
    const session = new Session();
    session.takeLink(bob);
    expect(session.takeBack(NOW)).toBeUndefined();
    session.takeLink(ada);
    expect(session.takeBack(NOW + 600_000)).toBeUndefined();
    expect(session.token()).toBe(ada);
  });

  test("does not after its user has signed out, here or in another tab", () => {
    const session = new Session();
    session.keep(ada);
    session.takeLink(bob);
    session.keep(undefined);
    expect(session.takeBack(NOW)).toBeUndefined();
    session.keep(ada);
    session.takeLink(bob);
    const stop = session.onChangeElsewhere(() => undefined);
    window.dispatchEvent(new StorageEvent("storage", { key: "chatd.token" }));
    stop();
    expect(session.takeBack(NOW)).toBeUndefined();
  });

  test("is not known after a reload of the same link", () => {
    const session = new Session();
    session.keep(ada);
    session.takeLink(ada);
    expect(session.takeBack(NOW)).toBeUndefined();
  });
});

test("the claims of a token are read as UTF-8", () => {
  expect(claimsOf(ada)).toMatchObject({ userId: "ada", name: "Ada Łukasz" });
});

test.each(["", "a", "a.b.c", "..", "a.%%%.c", `a.${btoa("null")}.c`, `a.${btoa("[1]")}.c`])(
  "what is no token claims nothing: %j",
  (text) => expect(claimsOf(text)).toEqual({}),
);

describe("a session", () => {
  test("is shared by the tabs of a browser", () => {
    new Session().keep(ada);
    expect(new Session().token()).toBe(ada);
  });

  test("lives with the tab where the browser stores nothing", () => {
    vi.stubGlobal("localStorage", {
      getItem: () => null,
      setItem() {
        throw new DOMException("full", "QuotaExceededError");
      },
      clear() {},
    });
    const session = new Session();
    session.keep(ada);
    expect(session.token()).toBe(ada);
    expect(new Session().token()).toBeUndefined();
  });

  test("hears of another tab's sign-in and sign-out", () => {
    const session = new Session();
    const heard: (string | undefined)[] = [];
    const stop = session.onChangeElsewhere((token) => heard.push(token));
    localStorage.setItem("chatd.token", ada);
    window.dispatchEvent(new StorageEvent("storage", { key: "chatd.token" }));
    localStorage.clear();
    window.dispatchEvent(new StorageEvent("storage", { key: null }));
    stop();
    window.dispatchEvent(new StorageEvent("storage", { key: "chatd.token" }));
    expect(heard).toEqual([ada, undefined]);
  });
});
