/** A storage of a few lines, for one test. */
import type { KeyStore } from "../src/websocket/storage";

export function memoryStore(): KeyStore {
  const kept = new Map<string, string>();
  return {
    read: (key) => kept.get(key),
    write(key, value) {
      kept.set(key, value);
      return true;
    },
    remove: (key) => void kept.delete(key),
    keys: (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)),
  };
}
