import { defineConfig } from "vitest/config";

/** The tests of the page's parts, in a browser that is not there. */
export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    // No test waits for a time of its own: these only end one that hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
