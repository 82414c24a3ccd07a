/** The wire over socket.io. It does not decide when to connect again: see `connection.ts`. */
import { io } from "socket.io-client";
import type { ConnectAuth } from "./wire.gen";
import type { ConnectFailure, OpenWire, Wire } from "./wire";
import { socketPlace } from "./url";

/** How long one try to connect takes at most. Unit: ms. */
const CONNECT_TIMEOUT_MS = 10_000;

export const openSocket: OpenWire = (url, listener) => {
  const { origin, path } = socketPlace(url);
  let auth: ConnectAuth = {};
  let isExpected = false;
  const socket = io(origin, {
    path,
    autoConnect: false,
    reconnection: false,
    forceNew: true,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    timeout: CONNECT_TIMEOUT_MS,
    auth: (give) => give({ ...auth }),
  });
  socket.on("connect_error", (error) => {
    // A refused CONNECT leaves the session below it open.
    socket.disconnect();
    if (!isExpected) listener.failed(failureOf(error));
  });
  socket.on("disconnect", (reason) => {
    if (!isExpected) listener.lost(reason);
  });
  socket.onAny((name: unknown, payload: unknown) => {
    if (typeof name === "string") listener.event(name, payload);
  });
  const wire: Wire = {
    get isConnected() {
      return socket.connected;
    },
    connect(next) {
      auth = next;
      isExpected = false;
      socket.connect();
    },
    disconnect() {
      isExpected = true;
      socket.disconnect();
    },
    emit(event, payload) {
      if (socket.connected) socket.emit(event, payload);
    },
    async ask(event, payload, timeoutMs) {
      if (!socket.connected) throw new Error("There is no connection.");
      const ack: unknown = await socket.timeout(timeoutMs).emitWithAck(event, payload);
      // A server that does not know the event may acknowledge it with nothing.
      if (typeof ack !== "object" || ack === null) throw new Error("The server said nothing.");
      return ack as never;
    },
  };
  return wire;
};

function failureOf(error: Error & { data?: unknown }): ConnectFailure {
  const { data } = error;
  const failure: ConnectFailure = { message: error.message };
  if (typeof data !== "object" || data === null) return failure;
  if ("code" in data && typeof data.code === "string") failure.code = data.code;
  if ("retryAfterMs" in data && typeof data.retryAfterMs === "number") {
    failure.retryAfterMs = data.retryAfterMs;
  }
  return failure;
}
