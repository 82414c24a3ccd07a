import { defineConfig } from "vite";
import { WORKER_ENTRY, WORKER_FILE, workerBuild } from "./workerBuild.ts";

/** The daemon that `npm run dev` talks to. */
const DAEMON = process.env["CHATD_URL"] ?? "http://127.0.0.1:8765";

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
      },
    },
  },
});
