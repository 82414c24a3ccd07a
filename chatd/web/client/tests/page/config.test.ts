import { expect, test } from "vitest";
import { configOf, signInLink } from "../../src/page/config";

test.each([
  [null, { title: "chatd" }],
  [{ title: "" }, { title: "chatd" }],
  [
    { title: "Team", loginUrl: "https://id.example/login" },
    { title: "Team", loginUrl: "https://id.example/login" },
  ],
  [{ loginUrl: "/login" }, { title: "chatd", loginUrl: "/login" }],
  [{ loginUrl: "javascript:alert(1)" }, { title: "chatd" }],
  [{ loginUrl: "data:text/html,x" }, { title: "chatd" }],
  [{ mints: true }, { title: "chatd", mints: true }],
  [{ mints: false }, { title: "chatd", mints: false }],
  [{ mints: "yes" }, { title: "chatd" }],
  [{ loginUrl: 7 }, { title: "chatd" }],
])("the page's configuration of %j", (answer, config) => {
  expect(configOf(answer)).toEqual(config);
});

test("the sign-in is told where to come back to", () => {
  const link = new URL(signInLink("https://id.example/login?tenant=1"));
  expect(link.searchParams.get("tenant")).toBe("1");
  expect(link.searchParams.get("return_to")).toBe(new URL(".", location.href).href);
});
