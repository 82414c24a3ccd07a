import { expect, test } from "vitest";
import { mentionsIn, type Mentioned } from "../../src/messages/mentions";
import { cpuMs } from "../cpu";

const ADA: Mentioned = { userId: "ada", names: ["Ada"] };
const BYRON: Mentioned = { userId: "u-17", names: ["Ada Byron"] };

const cases: [text: string, mentioned: Mentioned[], marked: [string, string][]][] = [
  ["hi @Ada", [ADA], [["@Ada", "ada"]]],
  [
    "hi @ADA, and @ada.",
    [ADA],
    [
      ["@ADA", "ada"],
      ["@ada", "ada"],
    ],
  ],
  [
    "@Ada Byron and @Ada",
    [ADA, BYRON],
    [
      ["@Ada Byron", "u-17"],
      ["@Ada", "ada"],
    ],
  ],
  ["@u-17", [BYRON], [["@u-17", "u-17"]]],
  ["mail@ada.example, @adam", [ADA], []],
  ["@Ada", [], []],
  ["@@Ada", [ADA], [["@Ada", "ada"]]],
  ["@", [ADA], []],
];

test.each(cases)("%j marks who is meant", (text, mentioned, marked) => {
  const segments = mentionsIn(text, mentioned);
  expect(segments.map((one) => one.text).join("")).toBe(text);
  const found = segments.flatMap((one) =>
    one.userId === undefined ? [] : [[one.text, one.userId]],
  );
  expect(found).toEqual(marked);
});

test("a text of nothing but signs is told whole, and at once", () => {
  const text = "@ada ".repeat(20_000);
  const many = Array.from({ length: 50 }, (_, at) => ({ userId: `x${at}`, names: [`Name ${at}`] }));
  let segments: ReturnType<typeof mentionsIn> = [];
  expect(cpuMs(() => (segments = mentionsIn(text, [...many, ADA])))).toBeLessThan(300);
  expect(segments.map((one) => one.text).join("")).toBe(text);
  expect(segments.length).toBeLessThan(1_000);
});
