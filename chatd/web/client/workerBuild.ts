/** Builds `sw.js`: tells the service worker the files of the build that it belongs to. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** The name of the worker among the entries of the build, and its file. */
export const WORKER_ENTRY = "sw";
export const WORKER_FILE = "sw.js";

/** A plugin that writes `CHATD_BUILD` in front of the worker, once all files have their names. */
export function workerBuild(): Plugin {
  let publicDirectory = "";
  return {
    name: "chatd-worker-build",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      publicDirectory = config.publicDir;
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const worker = bundle[WORKER_FILE];
        if (worker?.type !== "chunk") throw new Error(`${WORKER_FILE} is not built`);
        if (worker.imports.length > 0) throw new Error(`${WORKER_FILE} has to stand alone`);
        const made = createHash("sha256").update(worker.code);
        const files = ["./"];
        for (const [name, file] of Object.entries(bundle).toSorted(byName)) {
          if (name === WORKER_FILE || name.startsWith(".vite/")) continue;
          made.update(name).update(file.type === "chunk" ? file.code : file.source);
          if (name !== "index.html") files.push(name);
        }
        for (const name of readdirSync(publicDirectory).toSorted()) {
          made.update(name).update(readFileSync(join(publicDirectory, name)));
          files.push(name);
        }
        const build = JSON.stringify({ id: made.digest("hex").slice(0, 16), files });
        worker.code = `const CHATD_BUILD=${build};\n${worker.code}`;
      },
    },
  };
}

function byName(one: [string, unknown], other: [string, unknown]): number {
  return one[0] < other[0] ? -1 : 1;
}
