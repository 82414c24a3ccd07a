// A page's requests by node's http over one keep-alive agent: `node keep_alive.mjs URL TOKEN ROOM`.
//
// Asks for the page and for health between polls of socket.io-client, whose requests go over the
// same agent, then upgrades on it. Tells all of it in one line of JSON.

import http from "node:http";
import { createRequire } from "node:module";

const { io } = createRequire(import.meta.url)("socket.io-client-4.8");
const [url, token, room] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
const told = { statuses: [], acks: [], transports: [], upgrade: null, error: null };

function ask(path, options = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { agent, ...options }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject);
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    request.end(options.body);
  });
}

function connected(transports) {
  return new Promise((resolve, reject) => {
    const socket = io(url, { agent, transports, auth: { token }, forceNew: true, reconnection: false });
    socket.on("connect_error", reject);
    socket.on("chat:history", () => resolve(socket));
  });
}

async function chat(transports) {
  const socket = await connected(transports);
  for (let round = 0; round < 5; round += 1) {
    told.statuses.push(await ask("/"), await ask("/api/websocket/health"));
    const message = { messageId: crypto.randomUUID(), content: `round ${round}`, connectionId: room };
    told.acks.push((await socket.emitWithAck("chat:message", message)).ok);
  }
  told.transports.push(socket.io.engine.transport.name);
  socket.close();
}

try {
  await chat(["polling"]);
  await chat(["polling", "websocket"]);
  await chat(["websocket"]);
  const upgrade = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions": "permessage-deflate",
  };
  told.upgrade = [
    await ask("/api/websocket/health", { headers: upgrade }),
    await ask("/socket.io/?EIO=4&transport=websocket", { headers: upgrade }),
    await ask("/", { method: "POST", headers: { "Transfer-Encoding": "chunked" }, body: "hello" }),
    await ask("/api/websocket/health"),
  ];
} catch (error) {
  told.error = String(error);
}
process.stdout.write(`${JSON.stringify(told)}\n`);
process.exit(0);
