import { expect, test } from "vitest";
import { subjectOf } from "../../src/websocket/token";

const token = (claims: unknown) =>
  `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

test("the user of a token is its subject", () => {
  expect(subjectOf(token({ sub: "ada" }))).toBe("ada");
  expect(subjectOf(token({ sub: "ÿ>?~", name: "Łucja" }))).toBe("ÿ>?~");
});

test.each([
  "",
  "x",
  "a.b.c",
  "a.e30.c",
  token(null),
  token([]),
  token({ sub: 5 }),
  token({ sub: "" }),
])("%j names nobody", (text) => {
  expect(subjectOf(text)).toBeUndefined();
});
