import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Database } from "../../src/websocket/database";
import { Gate } from "../../src/websocket/gate";
import { createTurns } from "../../src/websocket/lease";
import { Metrics } from "../../src/websocket/metrics";
import { Outbox, outboxOwner, type OutboxNews } from "../../src/websocket/outbox";
import { ANSWER_MS, Sender } from "../../src/websocket/sender";
import type { KeyStore } from "../../src/websocket/storage";
import type { ErrorDetails } from "../../src/websocket/types";
import type { ChatMessage } from "../../src/websocket/wire.gen";
import { FakeClock, HANG_MS, settled } from "../clock";
import { memoryStore } from "../memory";
import { FakeServer, FakeWire } from "../server";

let clock: FakeClock;
let store: KeyStore;
let tabs: Tab[];
/** What the server has stored, in its order. */
let log: string[];
let answer: (sent: ChatMessage) => unknown;

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  clock = new FakeClock();
  store = memoryStore();
  tabs = [];
  log = [];
  answer = stores;
});
afterEach(() => {
  for (const made of tabs) made.close();
});

interface Tab {
  outbox: Outbox;
  sender: Sender;
  wire: FakeWire;
  metrics: Metrics;
  refused: ErrorDetails[];
  add(...ids: string[]): Promise<void>;
  close(): void;
}

/** A tab with a connection of its own. */
function tab(): Tab {
  const server = new FakeServer(clock);
  server.answers["chat:message"] = (sent: ChatMessage) => answer(sent);
  const wire = new FakeWire(server, "", { failed() {}, lost() {}, event() {} });
  wire.isConnected = true;
  const database = new Database(clock);
  const metrics = new Metrics(clock);
  const refused: ErrorDetails[] = [];
  const flush = (_news: OutboxNews) => void sender.flush();
  const outbox = new Outbox(outboxOwner("http://a/", "ada"), database, flush, () => {});
  const sender: Sender = new Sender({
    outbox,
    gate: new Gate("gate", store, clock),
    turns: createTurns({ clock, random: Math.random, database, locks: undefined }),
    clock,
    metrics,
    wire: () => (wire.isConnected ? wire : undefined),
    messagesPerMinute: () => 30,
    beIn: async () => {},
    sending() {},
    waiting() {},
    stored() {},
    refused: (_entry, error) => refused.push(error),
    paced() {},
  });
  const made: Tab = {
    outbox,
    sender,
    wire,
    metrics,
    refused,
    async add(...ids) {
      for (const messageId of ids) {
        await outbox.add({ messageId, connectionId: "demo", content: messageId, createdAt: 1 });
      }
    },
    close() {
      sender.close();
      outbox.close();
      database.close();
    },
  };
  tabs.push(made);
  return made;
}

function stores({ messageId }: ChatMessage): unknown {
  const isKnown = log.includes(messageId);
  if (!isKnown) log.push(messageId);
  const seq = log.indexOf(messageId) + 1;
  const duplicate = isKnown ? { duplicate: true } : {};
  return {
    ok: true,
    question: false,
    messageId,
    connectionId: "demo",
    seq,
    timestamp: 1,
    ...duplicate,
  };
}

function refuses(error: Partial<ErrorDetails>): unknown {
  return { ok: false, error: { code: "internal", message: "No.", retryable: false, ...error } };
}

const sent = (one: Tab) => one.wire.asked.map((ask) => ask.payload["messageId"]);

describe("sending", () => {
  test("one after the other, in the order of typing, until nothing waits", async () => {
    const one = tab();
    await one.add("a", "b", "c");
    await clock.pass(1_000);
    expect(log).toEqual(["a", "b", "c"]);
    expect(await one.outbox.all()).toEqual([]);
    expect(one.metrics.figures()).toMatchObject({ sent: 3, duplicates: 0 });
  });

  test("nothing goes without a connection, and all of it when there is one", async () => {
    const one = tab();
    one.wire.isConnected = false;
    await one.add("a", "b");
    await clock.pass(60_000);
    expect(sent(one)).toEqual([]);
    one.wire.isConnected = true;
    void one.sender.flush();
    await clock.pass(1_000);
    expect(log).toEqual(["a", "b"]);
  });

  test("two tabs send what both have typed, each once and in order", async () => {
    const [one, other] = [tab(), tab()];
    one.wire.isConnected = false;
    other.wire.isConnected = false;
    const order = Array.from({ length: 20 }, (_, n) => `${n}`);
    for (const [n, id] of order.entries()) await (n % 2 ? one : other).add(id);
    one.wire.isConnected = true;
    other.wire.isConnected = true;
    void one.sender.flush();
    void other.sender.flush();
    await clock.pass(10_000);
    expect(log).toEqual(order);
    expect([...sent(one), ...sent(other)].toSorted()).toEqual(order.toSorted());
  });

  test("a tab without a connection leaves it to the one that has one", async () => {
    const [one, other] = [tab(), tab()];
    one.wire.isConnected = false;
    await one.add("a");
    await vi.waitUntil(async () => {
      await clock.pass(100);
      return log.length === 1;
    }, HANG_MS);
    expect(sent(other)).toEqual(["a"]);
  });

  test("a tab that crashes in the middle of a send is followed when its lease is over", async () => {
    const [one, other] = [tab(), tab()];
    answer = () => undefined;
    other.wire.isConnected = false;
    await one.add("a");
    await settled();
    expect(sent(one)).toEqual(["a"]);
    // It crashes: nothing of it runs on, and nothing was given back.
    one.wire.ask = () => new Promise(() => {});
    one.sender.close();
    answer = stores;
    other.wire.isConnected = true;
    void other.sender.flush();
    await clock.pass(16_000);
    expect(log).toEqual(["a"]);
    expect(sent(other)).toEqual(["a"]);
  });

  test("what the server had already counts as a duplicate, and is not sent again", async () => {
    const one = tab();
    log.push("a");
    await one.add("a");
    await clock.pass(1_000);
    expect(one.metrics.figures()).toMatchObject({ sent: 1, duplicates: 1 });
    expect(await one.outbox.all()).toEqual([]);
  });
});

describe("without an answer", () => {
  test("a message is given up after five tries, and the next one goes", async () => {
    const one = tab();
    answer = (it) => (it.messageId === "a" ? undefined : stores(it));
    await one.add("a", "b");
    await clock.pass(4 * ANSWER_MS + 500);
    expect(sent(one)).toEqual(["a", "a", "a", "a", "a"]);
    expect(one.refused).toEqual([]);
    await clock.pass(ANSWER_MS);
    expect(one.refused).toMatchObject([{ retryable: true }]);
    expect(log).toEqual(["b"]);
    expect(await one.outbox.all()).toMatchObject([{ messageId: "a", tries: 5 }]);
  });

  test("a connection that is lost is no try of the message", async () => {
    const one = tab();
    answer = () => undefined;
    await one.add("a");
    for (let n = 0; n < 5; n += 1) {
      await clock.pass(1_000);
      one.wire.lose();
      await settled();
      one.wire.isConnected = true;
      void one.sender.flush();
    }
    await settled();
    expect(sent(one)).toHaveLength(6);
    expect(await one.outbox.all()).toMatchObject([{ messageId: "a", tries: 0 }]);
  });
});

describe("a refusal", () => {
  test("for good gives the message up, with why, and the next one goes", async () => {
    const one = tab();
    answer = (it) => (it.messageId === "a" ? refuses({ code: "content_too_long" }) : stores(it));
    await one.add("a", "b");
    await clock.pass(1_000);
    expect(one.refused).toMatchObject([{ code: "content_too_long" }]);
    expect(log).toEqual(["b"]);
    expect(await one.outbox.all()).toMatchObject([{ failed: { code: "content_too_long" } }]);
  });

  test("of a code that this page does not know is what it says of itself", async () => {
    const one = tab();
    answer = (it) => (log.length === 0 ? (log.push("x"), refuses(UNKNOWN)) : stores(it));
    await one.add("a");
    await clock.pass(1_000);
    expect(one.refused).toEqual([]);
    await clock.pass(1_000);
    expect(log).toEqual(["x", "a"]);
  });
  const UNKNOWN = { code: "moon_is_full" as never, retryable: true, retryAfterMs: 1_500 };

  test("of the token leaves the message where it is", async () => {
    const one = tab();
    answer = () => refuses({ code: "token_expired" });
    await one.add("a");
    await clock.pass(1_000);
    expect(sent(one)).toEqual(["a"]);
    expect(await one.outbox.next()).toMatchObject({ messageId: "a", tries: 0 });
  });

  test("of a server that restarts is tried again when it said", async () => {
    const one = tab();
    let refusals = 0;
    answer = (it) =>
      refusals++ === 0
        ? refuses({ code: "draining", retryable: true, retryAfterMs: 700 })
        : stores(it);
    await one.add("a");
    await clock.pass(600);
    expect(sent(one)).toEqual(["a"]);
    await clock.pass(200);
    expect(log).toEqual(["a"]);
  });

  test("by the rate limit holds all tabs for as long as was told", async () => {
    const [one, other] = [tab(), tab()];
    let refusals = 0;
    answer = (it) =>
      refusals++ === 0
        ? refuses({ code: "rate_limited", retryable: true, retryAfterMs: 3_000 })
        : stores(it);
    await one.add("a");
    await settled();
    await other.add("b");
    await clock.pass(2_900);
    expect(log).toEqual([]);
    await clock.pass(400);
    expect(log).toEqual(["a"]);
  });

  test("is not met again: 44 waiting go out at the speed of a server that counts", async () => {
    const [one, other] = [tab(), tab()];
    const limit = limiter(30, clock);
    answer = (it) => limit(it) ?? stores(it);
    const order = Array.from({ length: 44 }, (_, n) => `${n}`);
    for (const [n, id] of order.entries()) await (n % 2 ? one : other).add(id);
    await clock.pass(32_000);
    expect(log).toEqual(order);
    expect(limit.refusals()).toBeLessThanOrEqual(2);
  });
});

/** A bucket of a minute's messages, whose waits double for who does not wait. */
function limiter(perMinute: number, time: FakeClock) {
  let tokens = perMinute;
  let last = time.passed();
  let notBefore = 0;
  let wait = 0;
  let refusals = 0;
  const take = (_sent: ChatMessage): unknown => {
    const now = time.passed();
    tokens = Math.min(perMinute, tokens + ((now - last) * perMinute) / 60_000);
    last = now;
    if (tokens >= 1 && now >= notBefore) {
      tokens -= 1;
      return undefined;
    }
    refusals += 1;
    wait = now < notBefore ? wait * 2 : 60_000 / perMinute;
    notBefore = now + wait;
    return refuses({ code: "rate_limited", retryable: true, retryAfterMs: wait });
  };
  return Object.assign(take, { refusals: () => refusals });
}
