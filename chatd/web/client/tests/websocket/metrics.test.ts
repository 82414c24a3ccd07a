import { expect, test, vi } from "vitest";
import { EVENTS_MAX, Metrics } from "../../src/websocket/metrics";
import { FakeClock } from "../clock";

test("the last 500 events are kept, and whoever looks is told of each", () => {
  const metrics = new Metrics(new FakeClock());
  const changed = vi.fn();
  const stop = metrics.subscribe(changed);
  for (let n = 0; n < EVENTS_MAX + 7; n += 1) metrics.note("tick", { n });
  expect(metrics.events).toHaveLength(EVENTS_MAX);
  expect(metrics.events[0]?.fields).toEqual({ n: 7 });
  expect(changed).toHaveBeenCalledTimes(EVENTS_MAX + 7);
  stop();
  metrics.note("tick");
  expect(changed).toHaveBeenCalledTimes(EVENTS_MAX + 7);
});

test("half of the messages are stored within p50, and 19 of 20 within p95", () => {
  const metrics = new Metrics(new FakeClock());
  expect(metrics.figures()).toMatchObject({ sendP50: undefined, sendP95: undefined });
  for (let ms = 100; ms >= 1; ms -= 1) metrics.stored(ms);
  expect(metrics.figures()).toMatchObject({ sent: 100, sendP50: 50, sendP95: 95 });
});

test("what is received each second is of the last minute", async () => {
  const clock = new FakeClock();
  const metrics = new Metrics(clock);
  for (let n = 0; n < 120; n += 1) metrics.heard();
  expect(metrics.figures()).toMatchObject({ received: 120, receivedPerSecond: 2 });
  await clock.pass(61_000);
  expect(metrics.figures()).toMatchObject({ received: 120, receivedPerSecond: 0 });
});
