// Socket.IO clients from npm, driven through pipes: `node client.mjs PACKAGE`.
//
// A line of standard input is a command, a line of standard output an event, both JSON; the
// commands and events are described in drivers.py.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { drive } from "./driven.mjs";

const { Manager } = createRequire(import.meta.url)(process.argv[2]);
const take = drive(Manager, (event) => process.stdout.write(`${JSON.stringify(event)}\n`));

createInterface({ input: process.stdin })
  .on("line", (line) => take(JSON.parse(line)))
  .on("close", () => process.exit(0));
