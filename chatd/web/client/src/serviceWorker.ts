/** Registers the service worker, which shows the page when it is loaded while the server is away. */

const WORKER = "./sw.js";

/** The part of Trusted Types that is used here: TypeScript's types for browsers lack it. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
}

/**
 * Register `sw.js` beside the page; returns whether that went well.
 *
 * Over plain http beyond this machine, and in some private windows, browsers have no service
 * workers: the page works without one. The policy `chatd` of Trusted Types allows this one address
 * and no other.
 */
export async function registerServiceWorker(): Promise<boolean> {
  if (import.meta.env.DEV || !("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register(trusted(WORKER), { updateViaCache: "none" });
    return true;
  } catch {
    return false;
  }
}

function trusted(address: string): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return address;
  const policy = types.createPolicy("chatd", {
    createScriptURL(url) {
      if (url !== WORKER) throw new TypeError(`${url} is not a script of this page.`);
      return url;
    },
  });
  return policy.createScriptURL(address);
}
