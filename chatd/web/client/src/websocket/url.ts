/** Where the server is. A proxy may serve it below a path, such as `https://example.org/chat/`. */

/** The server's address with a slash at its end; the page's own place if none is given. */
export function serverUrl(given: string | undefined): string {
  if (given === undefined) {
    return typeof location === "undefined" ? "" : new URL(".", location.href).href;
  }
  const base = typeof location === "undefined" ? undefined : location.href;
  const url = new URL(given, base);
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

/** What socket.io wants to know: the origin, and the path of its requests. */
export function socketPlace(url: string): { origin: string; path: string } {
  const { origin, pathname } = new URL(url);
  return { origin, path: `${pathname}socket.io/` };
}
