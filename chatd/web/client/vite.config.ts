import { defineConfig } from "vitest/config";

/** The page. Its links are relative, so that a proxy may have it below any path. */
export default defineConfig({
  base: "./",
  build: {
    outDir: process.env["CHATD_WEB_OUT"] ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    manifest: true,
    sourcemap: false,
  },
  test: {
    environment: "happy-dom",
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
    unstubGlobals: true,
  },
});
