import { beforeEach, describe, expect, test, vi } from "vitest";
import { openSocket } from "../../src/websocket/socket";

type Listener = (...given: unknown[]) => void;

/** What `io` gives, as far as the page touches it. */
class FakeSocket {
  connected = false;
  listeners = new Map<string, Listener>();
  any: Listener = () => {};
  emitted: unknown[] = [];
  on(name: string, listener: Listener): void {
    this.listeners.set(name, listener);
  }
  onAny(listener: Listener): void {
    this.any = listener;
  }
  connect = vi.fn();
  disconnect = vi.fn(() => {
    if (!this.connected) return;
    this.connected = false;
    this.listeners.get("disconnect")?.("io client disconnect");
  });
  emit(...given: unknown[]): void {
    this.emitted.push(given);
  }
  ack: ((ms: number, given: unknown[]) => unknown) | undefined;
  timeout(ms: number) {
    const ack = this.ack ?? ((_: number, given: unknown[]) => ({ ok: true, ms, given }));
    return { emitWithAck: (...given: unknown[]) => Promise.resolve(ack(ms, given)) };
  }
}

const made = vi.hoisted(() => ({ socket: undefined as unknown, given: [] as unknown[] }));
vi.mock("socket.io-client", () => ({
  io: (...given: unknown[]) => {
    made.given = given;
    return made.socket;
  },
}));

let socket: FakeSocket;
const heard = { failed: vi.fn(), lost: vi.fn(), event: vi.fn() };

beforeEach(() => {
  socket = new FakeSocket();
  made.socket = socket;
  for (const listener of Object.values(heard)) listener.mockReset();
});

const open = () => openSocket("https://example.org/chat/", heard);
const auth = (): unknown => {
  const give = vi.fn();
  (made.given[1] as { auth(give: Listener): void }).auth(give);
  return give.mock.calls[0]?.[0];
};

describe("a socket", () => {
  test("is made below the path of the proxy, and connects when it is told to", () => {
    const wire = open();
    expect(made.given).toMatchObject([
      "https://example.org",
      { path: "/chat/socket.io/", autoConnect: false, reconnection: false },
    ]);
    expect(socket.connect).not.toHaveBeenCalled();
    wire.connect({ token: "a" });
    expect(socket.connect).toHaveBeenCalledTimes(1);
    expect(auth()).toEqual({ token: "a" });
  });

  test("that is refused says why, and leaves no session open below", () => {
    open().connect({});
    const data = { code: "rate_limited", retryAfterMs: 5, other: 1 };
    socket.listeners.get("connect_error")?.(Object.assign(new Error("Slow."), { data }));
    expect(heard.failed).toHaveBeenCalledWith({
      message: "Slow.",
      code: "rate_limited",
      retryAfterMs: 5,
    });
    expect(socket.disconnect).toHaveBeenCalled();
  });

  test.each([undefined, null, 5, "x", {}, { code: 5, retryAfterMs: "x" }])(
    "that fails with %j beside its sentence has no code",
    (data) => {
      open().connect({});
      socket.listeners.get("connect_error")?.(Object.assign(new Error("No."), { data }));
      expect(heard.failed).toHaveBeenCalledWith({ message: "No." });
    },
  );

  test("that is lost says so; one that was let go does not", () => {
    const wire = open();
    wire.connect({});
    socket.connected = true;
    socket.listeners.get("disconnect")?.("transport close");
    expect(heard.lost).toHaveBeenCalledWith("transport close");
    wire.disconnect();
    expect(heard.lost).toHaveBeenCalledTimes(1);
    socket.listeners.get("connect_error")?.(new Error("late"));
    expect(heard.failed).not.toHaveBeenCalled();
  });

  test("hands on events by their names", () => {
    open();
    socket.any("chat:message", { seq: 1 });
    socket.any(5, "not a name");
    expect(heard.event.mock.calls).toEqual([["chat:message", { seq: 1 }]]);
  });

  test("keeps nothing for later: without a connection nothing is sent", async () => {
    const wire = open();
    wire.emit("chat:typing:start", { connectionId: "demo" });
    expect(socket.emitted).toEqual([]);
    await expect(wire.ask("schema:get", { connectionId: "demo" }, 5)).rejects.toThrow();
    socket.connected = true;
    wire.emit("chat:typing:start", { connectionId: "demo" });
    expect(socket.emitted).toHaveLength(1);
    expect(await wire.ask("schema:get", { connectionId: "demo" }, 5)).toMatchObject({ ms: 5 });
  });

  test.each([undefined, null, "ok", 7])("an ack that says %s is none", async (said) => {
    const wire = open();
    socket.connected = true;
    socket.ack = () => said;
    await expect(wire.ask("chat:read", { connectionId: "demo", seq: 1 }, 1_000)).rejects.toThrow();
  });
});
