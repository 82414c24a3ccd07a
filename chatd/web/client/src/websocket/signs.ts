/**
 * Signs from the browser that a try to connect is worthwhile now, or is not. Without a window there
 * are none.
 */

export interface NetworkSigns {
  isOnline(): boolean;
  /** Returns a function that ends this. */
  subscribe(heard: { woke(): void; wentOffline(): void }): () => void;
}

/** The network came back, the tab is looked at again, or left the back-forward cache. */
export const browserSigns: NetworkSigns = {
  isOnline: () => typeof navigator === "undefined" || navigator.onLine !== false,
  subscribe({ woke, wentOffline }) {
    if (typeof window === "undefined" || typeof document === "undefined") return () => {};
    const seen = () => {
      if (document.visibilityState === "visible") woke();
    };
    const shown = (event: PageTransitionEvent) => {
      if (event.persisted) woke();
    };
    window.addEventListener("online", woke);
    window.addEventListener("offline", wentOffline);
    window.addEventListener("pageshow", shown);
    document.addEventListener("visibilitychange", seen);
    return () => {
      window.removeEventListener("online", woke);
      window.removeEventListener("offline", wentOffline);
      window.removeEventListener("pageshow", shown);
      document.removeEventListener("visibilitychange", seen);
    };
  },
};
