import { defineConfig } from "vite";
import { WORKER_ENTRY, WORKER_FILE, workerBuild } from "./workerBuild.ts";

/** The page. Its links are relative, so that a proxy may have it below any path. */
export default defineConfig({
  base: "./",
  plugins: [workerBuild()],
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
