import { expect, test } from "vitest";
import { CardStates, cardStatesOf } from "../../src/answers/cardStates";

test("a card comes back as it was", () => {
  const states = new CardStates();
  expect(states.get("a")).toEqual({});
  states.set("a", { tab: "chart" });
  expect(states.get("a")).toEqual({ tab: "chart" });
});

test("no more than five hundred are remembered, those that changed last", () => {
  const states = new CardStates();
  for (let at = 0; at < 500; at++) states.set(`${at}`, { tab: "chart" });
  states.set("0", { tab: "statement" });
  states.set("new", { tab: "chart" });
  expect(states.get("1")).toEqual({});
  expect(states.get("0")).toEqual({ tab: "statement" });
});

test("two chats of a page share nothing", () => {
  const [one, two] = [{}, {}];
  cardStatesOf(one).set("a", { tab: "chart" });
  expect(cardStatesOf(one).get("a")).toEqual({ tab: "chart" });
  expect(cardStatesOf(two).get("a")).toEqual({});
});
