import { describe, expect, test } from "vitest";
import { keyAction, pressOf, type KeyPress, type KeySituation } from "../../src/composer/keys";

const NONE: KeySituation = { list: undefined, isEmpty: false, isRecalling: false };
const EMPTY = { ...NONE, isEmpty: true };
const LIST = { ...NONE, list: { takesEnter: true } };
const WORDS = { ...NONE, list: { takesEnter: false } };
const RECALL = { ...NONE, isRecalling: true };

function press(keys: string): KeyPress {
  const parts = keys.split("+");
  return {
    key: parts.at(-1) ?? "",
    shift: parts.includes("Shift"),
    ctrl: parts.includes("Ctrl"),
    meta: parts.includes("Cmd"),
    alt: parts.includes("Alt"),
    isComposing: parts.includes("Composing"),
  };
}

describe("a key in the box", () => {
  test.each<[string, KeySituation, string | undefined]>([
    ["Enter", NONE, "send"],
    ["Shift+Enter", NONE, undefined],
    ["Alt+Enter", NONE, undefined],
    ["Composing+Enter", NONE, undefined],
    ["Composing+Ctrl+Enter", NONE, undefined],
    ["Ctrl+Enter", NONE, "send"],
    ["Cmd+Enter", LIST, "send"],
    ["Enter", LIST, "accept"],
    ["Enter", WORDS, "send"],
    ["Tab", LIST, "accept"],
    ["Tab", WORDS, "accept"],
    ["Shift+Tab", LIST, undefined],
    ["Tab", NONE, undefined],
    ["ArrowDown", LIST, "next"],
    ["ArrowUp", LIST, "previous"],
    ["Composing+ArrowUp", LIST, undefined],
    ["Escape", LIST, "close"],
    ["Escape", NONE, undefined],
    ["Escape", RECALL, "restore"],
    ["ArrowUp", EMPTY, "older"],
    ["ArrowUp", NONE, undefined],
    ["Alt+ArrowUp", EMPTY, undefined],
    ["Shift+ArrowUp", EMPTY, undefined],
    ["ArrowUp", RECALL, "older"],
    ["ArrowDown", RECALL, "newer"],
    ["ArrowDown", EMPTY, undefined],
    ["Ctrl+r", NONE, "search"],
    ["Cmd+r", NONE, undefined],
    ["Ctrl+Shift+r", NONE, undefined],
    ["Ctrl+ ", NONE, "complete"],
    ["Cmd+ ", NONE, undefined],
    ["Ctrl+k", LIST, undefined],
    ["a", LIST, undefined],
  ])("%s", (keys, situation, action) => {
    expect(keyAction(press(keys), situation)).toBe(action);
  });

  test("is the input method's where the browser says so by its code alone", () => {
    const event = new KeyboardEvent("keydown", { key: "Enter" });
    Object.defineProperty(event, "keyCode", { value: 229 });
    expect(pressOf(event).isComposing).toBe(true);
    expect(pressOf(new KeyboardEvent("keydown", { key: "Enter" })).isComposing).toBe(false);
  });
});
