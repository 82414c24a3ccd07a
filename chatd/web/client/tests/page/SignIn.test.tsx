import { renderToStaticMarkup } from "react-dom/server";
import { IDBFactory } from "fake-indexeddb";
import { act } from "react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Drafts } from "../../src/composer/drafts";
import { AskAboutLink, SignIn } from "../../src/page/SignIn";
import { systemClock } from "../../src/websocket/clock";
import { Database } from "../../src/websocket/database";
import { Outbox, outboxOwner } from "../../src/websocket/outbox";
import { browserStorage } from "../../src/websocket/storage";
import { serverUrl } from "../../src/websocket/url";
import { settled } from "../clock";
import { draw } from "../components/rendering";
import { fakeChat } from "../fakes";

const tokenOf = (claims: object) =>
  `a.${btoa(JSON.stringify(claims).replace("\u202e", "\\u202e"))}.c`;

function asked(link: object): string {
  const nothing = () => undefined;
  const stored = tokenOf({ sub: "ada", name: "Ada" });
  const page = renderToStaticMarkup(
    <AskAboutLink title="t" link={tokenOf(link)} stored={stored} use={nothing} ignore={nothing} />,
  );
  return page.replaceAll(/<[^>]*>|[\u2068\u2069]/g, "");
}

test("who takes another one's name for a link is told from that one by the id", () => {
  expect(asked({ sub: "eve", name: "Ada" })).toContain(
    "signs you in as Ada (eve). You are Ada (ada)",
  );
});

test("a name cannot turn the words around it", () => {
  expect(asked({ sub: "eve", name: "\u202eada" })).not.toContain("\u202e");
});

test("a token without an id is of somebody unknown, whatever name it has", () => {
  expect(asked({ name: "Ada" })).toContain("signs you in as somebody unknown.");
});

test.each([
  [
    "token_invalid",
    "This may be a refresh token.",
    "This server does not accept that token. This may be a refresh token.",
  ],
  ["token_invalid", undefined, "This server does not accept that token."],
  ["token_expired", "The token has expired.", "Your sign-in has run out."],
  ["token_revoked", "Sign in again.", "An administrator has ended your sessions."],
  ["forbidden", "A sentence of the server.", "A sentence of the server."],
])("why the last session ended is told (%s, %s)", (code, reason, told) => {
  const page = renderToStaticMarkup(
    <SignIn title="t" code={code} reason={reason} signIn={() => undefined} />,
  );
  expect(page).toContain(told);
  expect(page).not.toContain("What you wrote");
});

describe("where a token comes from", () => {
  const words = (more: object) =>
    renderToStaticMarkup(<SignIn title="t" signIn={() => undefined} {...more} />);

  test("is whoever runs a server that makes them", () => {
    expect(words({ mints: true })).toContain("chatd token mint");
    expect(words({ mints: true })).not.toContain("organisation");
  });

  test("is the sign-in of the organisation elsewhere, to which the page may link", () => {
    expect(words({ mints: false })).toContain("The sign-in of your organisation gives you one.");
    expect(words({ mints: false })).toContain("[web] login_url");
    const linked = words({ mints: false, loginLink: "https://id.example/login" });
    expect(linked).toContain("organisation");
    expect(linked).not.toContain("login_url");
    expect(linked).not.toContain("token mint");
  });

  test("is not told before it is known", () => {
    expect(words({})).not.toMatch(/token mint|organisation/);
  });
});

describe("what was written is told to be kept", () => {
  const drafted = () =>
    new Drafts(browserStorage()).write(
      { url: serverUrl(undefined), userId: "ada", room: "r" },
      "x",
    );
  const waits = async () => {
    const outbox = new Outbox(
      outboxOwner(serverUrl(undefined), "ada"),
      new Database(systemClock),
      () => {},
      () => {},
    );
    await outbox.add({ messageId: "m", connectionId: "r", content: "x", createdAt: 1 });
  };

  beforeEach(() => {
    localStorage.clear();
    vi.stubGlobal("indexedDB", new IDBFactory());
  });

  test.each([
    ["a draft", drafted, "ada", true],
    ["a message that waits", waits, "ada", true],
    ["nothing", () => {}, "ada", false],
    ["a draft of somebody else", drafted, "bob", false],
    ["a token that names nobody", drafted, "", false],
  ])("where it is: %s", async (_, write, userId, isTold) => {
    await write();
    const host = draw(
      fakeChat(),
      <SignIn title="t" code="token_expired" userId={userId} signIn={() => undefined} />,
    );
    await act(settled);
    const words = host.querySelector("[role=alert]")?.textContent ?? "";
    expect(words.includes("What you wrote is kept here.")).toBe(isTold);
  });
});
