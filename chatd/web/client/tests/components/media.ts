/** Media queries of a browser of a test. */
import { vi } from "vitest";

/** From now on these hold, and no others. */
export function holding(...queries: readonly string[]): void {
  vi.stubGlobal("matchMedia", (query: string) => ({
    matches: queries.includes(query),
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
}
