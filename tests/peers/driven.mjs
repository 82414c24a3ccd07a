// A Socket.IO client library of JavaScript as drivers.py drives it, in Node and in a browser alike.
//
// `drive(Manager, write)` gives a function that takes commands; `write` is given the events. Both are
// values of JSON, described in drivers.py. Bytes travel as {"$bytes": hex}.

const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromJson(value) {
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) return fromHex(value.$bytes);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fromJson(inner)]));
}

function toJson(value) {
  if (Array.isArray(value)) return value.map(toJson);
  if (value === null || typeof value !== "object") return value ?? null;
  if (value instanceof Uint8Array) return { $bytes: toHex(value) };
  if (value instanceof ArrayBuffer) return { $bytes: toHex(new Uint8Array(value)) };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
}

export function drive(Manager, write) {
  // name -> {manager, sockets: namespace -> socket, unanswered: namespace -> [ack]}
  const clients = new Map();

  function tell(client, namespace, event, args) {
    write({ client, namespace, event, args: toJson(args) });
  }

  function connect({ client, url, transport, namespaces, auth, credentials }) {
    if (clients.has(client)) {
      const { manager, sockets } = clients.get(client);
      const again = () => sockets.forEach((socket) => socket.connect());
      // 4.0 mistakes the end of the old connection for the end of the new one, where they overlap.
      if (manager.engine.readyState === "closed") again();
      else manager.engine.once("close", () => setTimeout(again));
      return;
    }
    const manager = new Manager(url, {
      transports: TRANSPORTS[transport],
      autoConnect: false,
      withCredentials: credentials ?? false,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
    });
    manager.on("open", () => {
      tell(client, "/", "$transport", [manager.engine.transport.name]);
      manager.engine.on("ping", () => tell(client, "/", "$ping", []));
      manager.engine.on("upgrade", (to) => tell(client, "/", "$transport", [to.name]));
    });
    const sockets = new Map();
    const unanswered = new Map();
    clients.set(client, { manager, sockets, unanswered });
    for (const namespace of namespaces) {
      const socket = manager.socket(namespace, auth === null ? {} : { auth: fromJson(auth) });
      sockets.set(namespace, socket);
      unanswered.set(namespace, []);
      socket.on("connect", () => tell(client, namespace, "connect", [socket.id]));
      socket.on("connect_error", (error) =>
        tell(client, namespace, "connect_error", [error.message, error.data]),
      );
      socket.on("disconnect", (reason) => tell(client, namespace, "disconnect", [reason]));
      socket.onAny((event, ...args) => {
        if (typeof args.at(-1) === "function") unanswered.get(namespace).push(args.pop());
        tell(client, namespace, event, args);
      });
      socket.connect();
    }
  }

  function emit({ client, namespace, args, ack, limit_ms }) {
    const socket = clients.get(client).sockets.get(namespace);
    const sent = fromJson(args);
    if (ack === null) {
      socket.emit(...sent);
    } else if (limit_ms === null) {
      socket.emit(...sent, (...answer) => tell(client, namespace, `$ack ${ack}`, answer));
    } else if (typeof socket.timeout === "function") {
      socket
        .timeout(limit_ms)
        .emit(...sent, (error, ...answer) =>
          tell(client, namespace, `$ack ${ack}`, error ? ["$late"] : answer),
        );
    } else {
      // Before 4.4 a limit is the caller's own business.
      const timer = setTimeout(() => tell(client, namespace, `$ack ${ack}`, ["$late"]), limit_ms);
      socket.emit(...sent, (...answer) => {
        clearTimeout(timer);
        tell(client, namespace, `$ack ${ack}`, answer);
      });
    }
  }

  const commands = {
    connect,
    emit,
    hold() {}, // an ack is sent where `answer` calls for it, and only there
    answer({ client, namespace, args }) {
      clients.get(client).unanswered.get(namespace).shift()(...fromJson(args));
    },
    close({ client }) {
      const { manager, sockets } = clients.get(client);
      const carrier = manager.engine?.transport?.name ?? null;
      for (const socket of sockets.values()) {
        socket.removeAllListeners();
        socket.offAny();
        socket.disconnect();
      }
      manager.removeAllListeners();
      manager.reconnection(false);
      clients.delete(client);
      tell(client, "/", "$closed", [carrier]);
    },
  };

  return (command) => commands[command.do](command);
}
