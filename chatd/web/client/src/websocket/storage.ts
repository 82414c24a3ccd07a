/**
 * Small things that outlive a reload: `localStorage`, which may be missing, full or forbidden. If
 * so, they are kept in memory, and live as long as the page.
 */

export interface KeyStore {
  read(key: string): string | undefined;
  /** Whether it outlives a reload. */
  write(key: string, value: string): boolean;
  remove(key: string): void;
  /** The keys that begin with this. */
  keys(prefix: string): string[];
}

/** The browser's storage, looked up at each use: it may be forbidden later. */
export function browserStorage(): KeyStore {
  const memory = new Map<string, string>();
  return {
    read(key) {
      const kept = memory.get(key);
      if (kept !== undefined) return kept;
      return attempt(() => localStorage.getItem(key)) ?? undefined;
    },
    write(key, value) {
      const isStored = attempt(() => (localStorage.setItem(key, value), true)) === true;
      if (isStored) memory.delete(key);
      else memory.set(key, value);
      return isStored;
    },
    remove(key) {
      memory.delete(key);
      attempt(() => localStorage.removeItem(key));
    },
    keys(prefix) {
      const stored = attempt(() => Object.keys(localStorage)) ?? [];
      return [...new Set([...stored, ...memory.keys()])].filter((key) => key.startsWith(prefix));
    },
  };
}

/**
 * The beginning of all keys of one user at one server: two users of a browser share nothing, and
 * neither do two servers behind one page.
 */
export function ownedPrefix(url: string, userId: string): string {
  return `chatd.${encodeURIComponent(url)}/${encodeURIComponent(userId)}/`;
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
