/** What a chat takes from its browser. Tests bring their own. */
import { systemClock, type Clock } from "../websocket/clock";
import { browserLocks } from "../websocket/lease";
import { browserSigns, type NetworkSigns } from "../websocket/signs";
import { openSocket } from "../websocket/socket";
import { browserStorage, type KeyStore } from "../websocket/storage";
import type { OpenWire } from "../websocket/wire";

export interface Surroundings {
  clock: Clock;
  /** From 0 up to 1. */
  random(): number;
  storage: KeyStore;
  signs: NetworkSigns;
  openWire: OpenWire;
  fetcher: typeof fetch;
  locks: LockManager | undefined;
  /** Call something before the next frame is painted. */
  nextFrame(run: () => void): void;
}

/** The browser's own. Nothing is touched yet: this works even where there is no window. */
export function browserSurroundings(): Surroundings {
  return {
    clock: systemClock,
    random: Math.random,
    storage: browserStorage(),
    signs: browserSigns,
    openWire: openSocket,
    fetcher: (...given) => fetch(...given),
    locks: browserLocks(),
    nextFrame(run) {
      if (typeof requestAnimationFrame === "function") requestAnimationFrame(run);
      else setTimeout(run, 16);
    },
  };
}
