import { beforeEach, expect, test } from "vitest";
import { Gate, PACED_MS, SHUT_MAX_MS } from "../../src/websocket/gate";
import type { KeyStore } from "../../src/websocket/storage";
import { FakeClock } from "../clock";
import { memoryStore } from "../memory";

let clock: FakeClock;
let store: KeyStore;
const gate = () => new Gate("chatd.gate", store, clock);

beforeEach(() => {
  clock = new FakeClock();
  store = memoryStore();
});

test("what one tab was told holds all tabs", () => {
  gate().shut(3_000, "rate_limited", "Too many.");
  expect(gate().waitMs()).toBe(3_050);
  expect(gate().pacing()).toMatchObject({ code: "rate_limited", reason: "Too many." });
});

test("after a refusal each message waits until it is earned, for a minute", async () => {
  gate().shut(1_000, "rate_limited", "Too many.");
  await clock.pass(1_050);
  expect(gate().waitMs()).toBe(0);
  gate().passed(30);
  expect(gate().waitMs()).toBe(2_000);
  await clock.pass(PACED_MS);
  gate().passed(30);
  expect(gate().waitMs()).toBe(0);
  expect(gate().pacing()).toBeUndefined();
});

test("a full disk of the server holds for as long as was told, and slows nothing after", async () => {
  gate().shut(2_000, "storage_full", "The disk is full.");
  await clock.pass(2_050);
  gate().passed(30);
  expect(gate().waitMs()).toBe(0);
  expect(gate().pacing()).toBeUndefined();
});

test("a restart that is over holds nobody", () => {
  gate().shut(5_000, "draining", "Restarting.");
  gate().reopen("rate_limited");
  expect(gate().waitMs()).toBeGreaterThan(0);
  gate().reopen("draining");
  expect(gate().waitMs()).toBe(0);
});

test("a clock that was set back an hour holds nobody for an hour", () => {
  gate().shut(3_000, "rate_limited", "Too many.");
  clock.set(-3_600_000);
  expect(gate().waitMs()).toBe(0);
});

test("nobody is held for longer than two minutes, whatever is said", () => {
  gate().shut(Number.MAX_SAFE_INTEGER, "storage_full", "");
  expect(gate().waitMs()).toBe(SHUT_MAX_MS);
});

test.each(["", "null", "{}", "[1]", "no json", '{"until":"soon"}'])(
  "what somebody else wrote there (%j) holds nobody",
  (text) => {
    store.write("chatd.gate", text);
    expect(gate().waitMs()).toBe(0);
    expect(gate().pacing()).toBeUndefined();
  },
);
