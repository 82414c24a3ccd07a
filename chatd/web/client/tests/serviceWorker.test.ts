import { afterEach, describe, expect, it, vi } from "vitest";
import { registerServiceWorker } from "../src/serviceWorker";

function withWorkers(register: (url: string, options: object) => Promise<unknown>) {
  vi.stubEnv("DEV", false);
  vi.stubGlobal("navigator", { serviceWorker: { register } });
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("registerServiceWorker", () => {
  it("registers the worker beside the page, and never from a cache of the browser", async () => {
    const register = vi.fn(async () => ({}));
    withWorkers(register);
    expect(await registerServiceWorker()).toBe(true);
    expect(register).toHaveBeenCalledWith("./sw.js", { updateViaCache: "none" });
  });

  it("names the one address that the policy of the page lets in", async () => {
    const made: string[] = [];
    withWorkers(async (url) => void made.push(url));
    const createPolicy = vi.fn((_name: string, rules: { createScriptURL(url: string): string }) => {
      expect(() => rules.createScriptURL("https://evil.example/sw.js")).toThrow(TypeError);
      return { createScriptURL: (url: string) => `trusted ${rules.createScriptURL(url)}` };
    });
    vi.stubGlobal("trustedTypes", { createPolicy });
    expect(await registerServiceWorker()).toBe(true);
    expect(createPolicy.mock.calls[0]?.[0]).toBe("chatd");
    expect(made).toEqual(["trusted ./sw.js"]);
  });

  it("leaves the page as it is where there are no workers, or none may be had", async () => {
    vi.stubEnv("DEV", false);
    vi.stubGlobal("navigator", {});
    expect(await registerServiceWorker()).toBe(false);
    withWorkers(() => Promise.reject(new DOMException("no", "SecurityError")));
    expect(await registerServiceWorker()).toBe(false);
    withWorkers(async () => ({}));
    vi.stubGlobal("trustedTypes", {
      createPolicy() {
        throw new TypeError("Policy chatd disallowed");
      },
    });
    expect(await registerServiceWorker()).toBe(false);
  });
});
