import { expect, test } from "vitest";
import { addressesIn } from "../../src/messages/addresses";
import { cpuMs } from "../cpu";

const found = (text: string) =>
  addressesIn(text)
    .filter(({ isAddress }) => isAddress)
    .map((piece) => piece.text);

test.each([
  ["see https://a.example/x?y=1#z now", "https://a.example/x?y=1#z"],
  ["http://localhost:8765", "http://localhost:8765"],
  ["HTTPS://A.Example/", "HTTPS://A.Example/"],
  ["Look: https://a.example.", "https://a.example"],
  ["(https://a.example/b)", "https://a.example/b"],
  ["(see https://a.example/A_(b))", "https://a.example/A_(b)"],
  ["**https://a.example/b**!?", "https://a.example/b"],
  ["<https://a.example/b>", "https://a.example/b"],
  ["[here](https://a.example/b)", "https://a.example/b"],
  ["https://a.example/Käse", "https://a.example/Käse"],
  ["https://a.example/@bob", "https://a.example/@bob"],
  ["https://a.example/\u202egpj.exe", "https://a.example/"],
  ["https://xn--80ak6aa92e.example", "https://xn--80ak6aa92e.example"],
])("%s has an address", (text, address) => {
  expect(found(text)).toEqual([address]);
});

test.each([
  "https://bank.example@evil.example",
  "https://bank.example:443@evil.example/",
  "https://bank.example\\@evil.example",
  "https://аpple.example",
  "https://bank.example。evil.example",
  "https://a%2eexample/",
  "javascript:alert(1)",
  "data:text/html,x",
  "ftp://a.example",
  "//a.example",
  "www.a.example",
  "xhttps://a.example",
  "https://",
  "https://...",
  "https://a.example/cut…",
  `https://a.example/${"x".repeat(2_000)}`,
])("%s has none", (text) => {
  expect(found(text)).toEqual([]);
});

test("nothing of a text is lost", () => {
  const text = "a https://b.example, c http://d.example/\u202ee https://f@g.example) h";
  expect(
    addressesIn(text)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});

test.each(["https://a.example ", "https://a.example/)", ")", "("])(
  "a text of nothing but %s takes no time",
  (part) => {
    const took = cpuMs(() => {
      addressesIn(`https://a.example/${part.repeat(20_000)}`);
      addressesIn(part.repeat(20_000));
    });
    expect(took).toBeLessThan(500);
  },
);
