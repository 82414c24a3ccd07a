// engine.io-client from npm against a server that echoes: `node engine_client.mjs URL TRANSPORT`.
//
// Waits until it is carried by what was asked for, then sends texts and bytes and waits for them to
// come back, stays for some pings, and closes. Tells all of it in one line of JSON.

import { Socket } from "engine.io-client";

const [url, transport] = process.argv.slice(2);
const MESSAGES = ["hello", "", "é😀\u2028", Buffer.from([0, 1, 254, 255]), Buffer.alloc(0), "x".repeat(70_000), "last"];
const PINGS = 3;

const told = { transports: [], back: [], pings: 0, early: null, reason: null, error: null };
const socket = new Socket(url, {
  path: "/engine.io/",
  transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
});

function sendAll() {
  for (const message of MESSAGES) socket.send(message);
}

function closeWhenDone() {
  if (told.pings >= PINGS && told.back.length === MESSAGES.length) socket.close();
}

socket.on("open", () => {
  told.transports.push(socket.transport.name);
  if (transport === "upgrade") socket.send("early"); // on its way while the other is probed
  else sendAll();
});
socket.on("upgrade", (to) => {
  told.transports.push(to.name);
  sendAll();
});
socket.on("ping", () => {
  told.pings += 1;
  closeWhenDone();
});
socket.on("message", (message) => {
  if (message === "early") {
    told.early = message;
    return;
  }
  message ??= ""; // an empty text has no data at all, as this library decodes it
  const isText = typeof message === "string";
  told.back.push(isText ? message : { $bytes: Buffer.from(message).toString("hex") });
  closeWhenDone();
});
socket.on("error", (error) => (told.error = String(error)));
socket.on("close", (reason) => {
  told.reason = reason;
  told.transports.push(socket.transport.name);
  process.stdout.write(`${JSON.stringify(told)}\n`);
});
