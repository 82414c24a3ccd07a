/** Whom a token names. Only the server judges a token; this is what a page can know before that. */

/** The user of a token: its `sub`. Undefined if it is not a JWT. */
export function subjectOf(token: string): string | undefined {
  const body = token.split(".")[1];
  if (body === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(decoded(body));
    if (typeof claims !== "object" || claims === null || !("sub" in claims)) return undefined;
    return typeof claims.sub === "string" && claims.sub !== "" ? claims.sub : undefined;
  } catch {
    return undefined;
  }
}

/** The text in base64url. */
function decoded(text: string): string {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}
