import { expect, test } from "vitest";
import { bracketPair } from "../../src/composer/brackets";
import { lexed } from "../../src/composer/lexer";

/** The places of the brackets for a cursor that stands at `|`. */
function places(marked: string): number[] | undefined {
  const cursor = marked.indexOf("|");
  const text = marked.replace("|", "");
  return bracketPair(lexed(text, "postgres"), cursor)?.map(({ from }) => from);
}

test.each<[string, number[] | undefined]>([
  ["f(|a)", [1, 3]],
  ["f|(a)", [1, 3]],
  ["f(a)|", [1, 3]],
  ["f(a|)", [1, 3]],
  ["f((a)|, b)", [2, 4]],
  ["f('()'|, b)", undefined],
  ["f|('(', b)", [1, 8]],
  ["f|( -- )\n)", [1, 8]],
  ["a[|1]", [1, 3]],
  ["f|(a", [1]],
  ["a)|", [1]],
  ["f|(a]", [1]],
  ["f|oo()", undefined],
  ["(|(", [0]],
])("the brackets of %s", (marked, found) => expect(places(marked)).toEqual(found));
