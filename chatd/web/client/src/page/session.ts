/**
 * Who is signed in in this browser: one token, shared by its tabs. A link may bring another one, in
 * its fragment, which no server sees. If the browser stores nothing, the token lives as long as the
 * tab.
 */
import { read, write } from "./storage";

const KEY = "chatd.token";

/** The token of this browser. */
export class Session {
  #inMemory: string | undefined;
  #replaced: string | undefined;

  token(): string | undefined {
    return read(KEY) ?? this.#inMemory;
  }

  /** Keep a token, or, if undefined, forget the one that is there. */
  keep(token: string | undefined): void {
    this.#replaced = undefined;
    this.#inMemory = write(KEY, token) ? undefined : token;
  }

  /** Keep the token of a link. The server says whether it is worth anything: see `takeBack`. */
  takeLink(link: string): void {
    const before = this.token();
    this.keep(link);
    if (before !== link) this.#replaced = before;
  }

  /**
   * The server refuses the present token: the one that a link has replaced counts again, so that no
   * link can sign anybody out. Undefined if there is none, or if that one has expired as well.
   */
  takeBack(now: number): string | undefined {
    const before = this.#replaced;
    if (before === undefined || (claimsOf(before).expiresAt ?? Infinity) <= now) return undefined;
    this.keep(before);
    return before;
  }

  /** Call `changed` when another tab signs in or out; returns how to stop that. */
  onChangeElsewhere(changed: (token: string | undefined) => void): () => void {
    const listen = (event: StorageEvent) => {
      if (event.key !== KEY && event.key !== null) return;
      this.#replaced = undefined;
      changed(this.token());
    };
    window.addEventListener("storage", listen);
    return () => window.removeEventListener("storage", listen);
  }
}

/** The token of the page's link, taken out of the address bar and of the browser's history. */
export function takeTokenOfLink(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  return token === "" ? undefined : token;
}

export interface Claims {
  userId?: string;
  name?: string;
  /** Unit: ms since 1970. */
  expiresAt?: number;
}

/** What a token says about itself, for words on the page; the server judges whether it is true. */
export function claimsOf(token: string): Claims {
  try {
    const segment = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const bytes = Uint8Array.from(atob(segment), (character) => character.charCodeAt(0));
    const { sub, name, exp, user_metadata: of } = JSON.parse(new TextDecoder().decode(bytes));
    const shown = typeof of?.full_name === "string" ? of.full_name : name;
    return {
      ...(typeof sub === "string" ? { userId: sub } : {}),
      ...(typeof shown === "string" ? { name: shown } : {}),
      ...(typeof exp === "number" ? { expiresAt: exp * 1_000 } : {}),
    };
  } catch {
    return {};
  }
}

/** What a link's token means beside the one that is there. */
export type LinkDecision = "use" | "ask" | "ignore";

/**
 * A link signs in whoever opens it. If somebody else is signed in, the page asks first: links are
 * an easy way to plant another session. A token that has expired never replaces one that has not.
 */
export function decideOnLink(link: string, stored: string | undefined, now: number): LinkDecision {
  if (stored === undefined || link === stored) return "use";
  const [theirs, ours] = [claimsOf(link), claimsOf(stored)];
  const hasRunOut = (claims: Claims) => (claims.expiresAt ?? Infinity) <= now;
  if (hasRunOut(theirs) && !hasRunOut(ours)) return "ignore";
  return theirs.userId === ours.userId ? "use" : "ask";
}
