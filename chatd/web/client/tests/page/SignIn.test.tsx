import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { AskAboutLink, SignIn } from "../../src/page/SignIn";

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
    "This server does not take that token. This may be a refresh token.",
  ],
  ["token_invalid", undefined, "This server does not take that token."],
  ["token_expired", "The token has expired.", "Your sign-in has run out."],
  ["token_revoked", "Sign in again.", "An administrator has ended your sessions."],
  ["forbidden", "A sentence of the server.", "A sentence of the server."],
])("why the last session ended is told (%s, %s)", (code, reason, told) => {
  const page = renderToStaticMarkup(
    <SignIn title="t" code={code} reason={reason} signIn={() => undefined} />,
  );
  expect(page).toContain(`${told} What you wrote is kept here.`);
});
