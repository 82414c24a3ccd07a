import { defineConfig } from "vite";
import { WORKER_ENTRY, WORKER_FILE, workerBuild } from "./workerBuild.ts";

/** The daemon that `npm run dev` talks to. */
const DAEMON = process.env["CHATD_URL"] ?? "http://127.0.0.1:8765";

/**
 * Puts what shows a room into one file. Left alone, what other parts use of it would be a second
 * one, and both would be larger.
 */
const roomParts = {
  name: (id: string, build: ModuleGraph): string | null =>
    from(build, "/src/components/roomParts.ts").has(id) && !from(build, "/src/main.tsx").has(id)
      ? "roomParts"
      : null,
  includeDependenciesRecursively: false,
};

interface ModuleGraph {
  getModuleInfo(id: string): { importedIds: string[] } | null;
}

/** A module, and all that it cannot do without. */
function from(build: ModuleGraph, path: string): ReadonlySet<string> {
  const found = new Set([import.meta.dirname + path]);
  for (const id of found)
    for (const imported of build.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  return found;
}

/** The page. Its links are relative, so that a proxy may have it below any path. */
export default defineConfig({
  base: "./",
  plugins: [workerBuild()],
  server: { proxy: { "/socket.io/": { target: DAEMON, ws: true }, "/api/": DAEMON } },
  build: {
    outDir: process.env["CHATD_WEB_OUT"] ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    manifest: true,
    sourcemap: false,
    rolldownOptions: {
      input: { index: "index.html", [WORKER_ENTRY]: "src/worker/main.ts" },
      output: {
        entryFileNames: (chunk) =>
          chunk.name === WORKER_ENTRY ? WORKER_FILE : "assets/[name]-[hash].js",
        codeSplitting: { groups: [roomParts] },
      },
    },
  },
});
