import { beforeEach, describe, expect, test, vi } from "vitest";
import { Connector, STEADY_MS, type Why } from "../../src/websocket/connection";
import { Metrics } from "../../src/websocket/metrics";
import type { Connection } from "../../src/websocket/types";
import { FakeClock, settled } from "../clock";
import { FakeServer } from "../server";

let clock: FakeClock;
let server: FakeServer;
let connector: Connector;
let shown: Connection[];
let signedOut: Why[];
let random: number;
let isOnline: boolean;
let heard: { woke(): void; wentOffline(): void } | undefined;
let token: () => Promise<string | undefined>;
let fetcher: typeof fetch;
let metrics: Metrics;

beforeEach(() => {
  clock = new FakeClock();
  server = new FakeServer(clock).room("demo");
  metrics = new Metrics(clock);
  shown = [];
  signedOut = [];
  isOnline = true;
  random = 0.5;
  heard = undefined;
  token = async () => "token";
  fetcher = () => Promise.reject(new TypeError("Failed to fetch"));
  connector = new Connector({
    url: () => "http://a/",
    openWire: server.open,
    clock,
    random: () => random,
    signs: {
      isOnline: () => isOnline,
      subscribe(listener) {
        heard = listener;
        return () => (heard = undefined);
      },
    },
    fetcher: (...given) => fetcher(...given),
    metrics,
    token: () => token(),
    auth: (given, attempt) => ({ token: given, reconnectAttempts: attempt }),
    changed: (connection) => shown.push(connection),
    event() {},
    signedOut: (why) => signedOut.push(why),
  });
});

const now = () => shown.at(-1);
const phases = () => shown.map((it) => it.phase).filter((it, n, all) => it !== all[n - 1]);
const tries = () => server.wires.flatMap((wire) => wire.auths).length;

async function start(): Promise<void> {
  connector.start();
  await settled();
}

describe("a connection", () => {
  test("is there when the server has said so, and not before", async () => {
    connector.start();
    expect(now()).toMatchObject({ phase: "connecting", attempt: 0 });
    expect(connector.open).toBeUndefined();
    await settled();
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
    expect(connector.open).toBe(server.wire);
  });

  test("that is lost comes back after a second", async () => {
    await start();
    server.wire.lose();
    const lostAt = clock.now();
    expect(now()).toEqual({
      phase: "reconnecting",
      attempt: 1,
      nextAt: lostAt + 1_000,
      since: lostAt,
    });
    await clock.pass(999);
    expect(tries()).toBe(1);
    await clock.pass(1);
    await settled();
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
    expect(server.wires).toHaveLength(1);
    expect(metrics.figures().reconnects).toBe(1);
  });

  test("is made anew once, however many rooms are taken away", async () => {
    await start();
    for (random of [0, 1]) connector.renewSoon();
    random = 0.5;
    await clock.pass(10_000);
    await settled();
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
    expect(tries()).toBe(2);
  });

  test("waits 1, 2, 4, 8, 16, 30 and 30 s between tries, and says which try it is", async () => {
    await start();
    server.isUp = false;
    server.wire.lose();
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      const { nextAt = 0 } = now() ?? {};
      waits.push(nextAt - clock.now());
      await clock.pass(nextAt - clock.now());
      await settled();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(now()).toMatchObject({ phase: "reconnecting", attempt: 8 });
    expect(server.wire.auths.at(-1)?.reconnectAttempts).toBe(7);
  });

  test("that holds for less than 5 s does not begin the waits again", async () => {
    await start();
    server.isUp = false;
    server.wire.lose();
    await clock.pass(3_000);
    server.isUp = true;
    await clock.pass(4_000);
    expect(now()?.phase).toBe("connected");
    await clock.pass(STEADY_MS - 1_000);
    server.wire.lose();
    expect(now()).toMatchObject({ attempt: 4 });
    await clock.pass(8_000);
    await clock.pass(STEADY_MS);
    server.wire.lose();
    expect(now()).toMatchObject({ attempt: 1 });
  });

  test("is tried at once when the network comes back, and when the user wants it", async () => {
    await start();
    server.isUp = false;
    server.wire.lose();
    await clock.pass(7_500);
    const before = tries();
    heard?.woke();
    await settled();
    expect(tries()).toBe(before + 1);
    connector.retryNow();
    await settled();
    expect(tries()).toBe(before + 2);
  });

  test("is tried once, however many signs come", async () => {
    await start();
    server.connects = () => {}; // no answer
    server.wire.lose();
    const before = tries();
    for (let n = 0; n < 5; n += 1) heard?.woke();
    connector.retryNow();
    await settled();
    heard?.woke();
    await settled();
    expect(tries()).toBe(before + 1);
  });

  test("says that the browser is offline, and goes on trying: the server may be near", async () => {
    await start();
    server.isUp = false;
    isOnline = false;
    server.wire.lose();
    expect(now()).toMatchObject({ phase: "offline", attempt: 1 });
    await clock.pass(1_000);
    expect(now()).toMatchObject({ phase: "offline", attempt: 2 });
    isOnline = true;
    heard?.woke();
    server.isUp = true;
    await settled();
    heard?.wentOffline();
    await clock.pass(60_000);
    expect(now()?.phase).toBe("connected");
  });

  test("that gets no answer is given up after a while, and tried again", async () => {
    server.connects = () => {};
    await start();
    await clock.pass(15_000);
    expect(now()).toMatchObject({ phase: "reconnecting", attempt: 1 });
    expect(server.wire.isConnected).toBe(false);
  });

  test("is ended by stop, and nothing of it runs on", async () => {
    await start();
    server.wire.lose();
    connector.stop();
    await clock.pass(120_000);
    expect(phases()).toEqual(["connecting", "connected", "reconnecting", "idle"]);
    expect(tries()).toBe(1);
    expect(heard).toBeUndefined();
    expect(clock.waiting).toBe(0);
  });

  test("that is stopped while the token is asked for is not made", async () => {
    connector.start();
    connector.stop();
    await settled();
    expect(server.wires).toHaveLength(0);
  });
});

describe("a restart of the server", () => {
  test("is told apart from a loss, and its delay is kept to", async () => {
    await start();
    server.wire.say("connection:status", {
      status: "draining",
      code: "draining",
      retryAfterMs: 9_000,
    });
    server.wire.say("server:draining", { deadline: clock.now() + 5_000, reconnectAfterMs: 3_210 });
    expect(now()).toMatchObject({ phase: "connected", isDraining: true });
    server.wire.lose();
    expect(now()).toMatchObject({ phase: "reconnecting", isDraining: true });
    heard?.woke();
    await clock.pass(3_209);
    expect(tries()).toBe(1);
    await clock.pass(1);
    await settled();
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
  });

  test("that takes long is still a restart, with its beginning", async () => {
    await start();
    server.wire.say("server:draining", { reconnectAfterMs: 100 });
    const lostAt = clock.now();
    server.isUp = false;
    server.wire.lose();
    await clock.pass(20_000);
    expect(now()).toMatchObject({ phase: "reconnecting", isDraining: true, since: lostAt });
  });
});

describe("a refusal", () => {
  test("that can pass is retried when it says, with its words", async () => {
    server.refusal = { code: "rate_limited", message: "Too many sockets.", retryAfterMs: 7_000 };
    await start();
    expect(now()).toMatchObject({
      phase: "reconnecting",
      code: "rate_limited",
      reason: "Too many sockets.",
    });
    heard?.woke();
    await clock.pass(6_999);
    expect(tries()).toBe(1);
    server.refusal = undefined;
    await clock.pass(1);
    await settled();
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
  });

  test.each(["unauthorized", "token_expired", "token_invalid", "token_revoked"])(
    "of the token (%s) signs out, once",
    async (code) => {
      server.refusal = { code, message: "Sign in again." };
      await start();
      expect(now()).toEqual({ phase: "signedOut", attempt: 0, code, reason: "Sign in again." });
      expect(signedOut).toEqual([{ code, reason: "Sign in again." }]);
      await clock.pass(600_000);
      expect(tries()).toBe(1);
      server.refusal = undefined;
      connector.retryNow();
      await settled();
      expect(now()?.phase).toBe("connected");
    },
  );

  test("of a token that has run out is made good by a newer one, if there is one", async () => {
    let given = 0;
    token = async () => `token ${given++}`;
    server.refusal = { code: "token_expired", message: "Sign in again." };
    const connects = server.connects.bind(server);
    vi.spyOn(server, "connects").mockImplementation((wire, auth) => {
      if (auth.token !== "token 0") server.refusal = undefined;
      connects(wire, auth);
    });
    await start();
    expect(signedOut).toEqual([]);
    expect(now()?.phase).toBe("connected");
  });

  test("of each new token signs out: nobody asks for ever", async () => {
    let given = 0;
    token = async () => `token ${given++}`;
    server.refusal = { code: "token_invalid", message: "No." };
    await start();
    await clock.pass(60_000);
    expect(signedOut).toHaveLength(1);
    expect(tries()).toBe(2);
  });

  test("while connected, as the token runs out, signs out too", async () => {
    await start();
    server.wire.say("connection:status", { status: "closing", code: "token_expired" });
    server.wire.lose();
    await settled();
    expect(now()).toMatchObject({ phase: "signedOut", code: "token_expired" });
    expect(signedOut).toHaveLength(1);
  });

  test("while connected, as nobody knows which rooms there are, comes back with the same token", async () => {
    await start();
    const before = tries();
    server.wire.say("connection:status", { status: "closing", code: "directory_unavailable" });
    server.wire.lose();
    await settled();
    expect(now()?.phase).toBe("reconnecting");
    await clock.pass(60_000);
    expect(signedOut).toEqual([]);
    expect(tries()).toBeGreaterThan(before);
    expect(now()?.phase).toBe("connected");
  });

  test("without a code asks by plain HTTP, at the third one, and says what is found", async () => {
    server.isUp = false;
    fetcher = turnsAway();
    await start();
    await clock.pass(1_000);
    expect(fetcher).not.toHaveBeenCalled();
    await clock.pass(2_000);
    await settled();
    expect(now()).toMatchObject({ phase: "reconnecting", code: "address_refused" });
    expect(now()?.reason).toContain("Host nas is not known here.");
    server.isUp = true;
    await clock.pass(4_000);
    expect(now()).toEqual({ phase: "connected", attempt: 0 });
  });

  test("of a server that comes up between two late tries is told at the next one", async () => {
    server.isUp = false;
    await start();
    await clock.pass(1_000 + 2_000 + 1);
    expect(now()?.code).toBeUndefined();
    fetcher = turnsAway();
    await clock.pass(4_000);
    await settled();
    expect(now()).toMatchObject({ attempt: 4, code: "address_refused" });
    fetcher = () => Promise.reject(new TypeError("Failed to fetch"));
    await clock.pass(8_000);
    await settled();
    expect(now()).toMatchObject({ attempt: 5 });
    expect(now()?.code).toBeUndefined();
  });

  test("without a code is asked about at once where the user wants a try", async () => {
    await start();
    server.isUp = false;
    server.wire.lose();
    fetcher = turnsAway();
    connector.retryNow();
    await settled();
    expect(now()).toMatchObject({ attempt: 2, code: "address_refused" });
  });
});

/** A server that runs, and does not accept the address that it is called by. */
function turnsAway(): typeof fetch {
  const message = "Forbidden: Host nas is not known here.";
  return vi.fn((url: unknown) =>
    Promise.resolve(
      String(url).includes("health")
        ? Response.json({ status: "ok" })
        : Response.json({ code: 4, message }, { status: 403 }),
    ),
  ) as typeof fetch;
}

describe("a token", () => {
  test("that does not come is asked for again", async () => {
    token = () => new Promise(() => {});
    await start();
    token = async () => "token";
    await clock.pass(65_000);
    expect(now()).toMatchObject({ phase: "connected" });
  });

  test("that is not there shows the sign-in, and is no refusal", async () => {
    token = async () => undefined;
    await start();
    expect(now()).toEqual({ phase: "signedOut", attempt: 0 });
    expect(signedOut).toEqual([]);
    expect(server.wires).toHaveLength(0);
  });

  test("that cannot be had now is asked for again", async () => {
    token = () => Promise.reject(new Error("the sign-in service is away"));
    await start();
    expect(now()).toMatchObject({ phase: "reconnecting", code: "no_token" });
    token = async () => "token";
    await clock.pass(1_000);
    await settled();
    expect(now()?.phase).toBe("connected");
  });
});

test("a slow client is told so until it has caught up", async () => {
  await start();
  server.wire.say("connection:status", { status: "lagging", code: "overloaded", retryAfterMs: 1 });
  expect(now()).toEqual({ phase: "connected", attempt: 0, isLagging: true });
  server.wire.say("presence:snapshot", { connectionId: "demo", users: [] });
  expect(now()).toEqual({ phase: "connected", attempt: 0 });
});
