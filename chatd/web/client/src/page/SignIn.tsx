import type { FormEvent } from "react";
import { claimsOf } from "./session";

/** The most of a name, or of an id, that is shown. Unit: UTF-16 code units. */
const NAME_CHARS_MAX = 80;

const WHY: Record<string, string> = {
  token_expired: "Your sign-in has run out.",
  token_invalid: "This server does not take that token.",
  token_revoked: "An administrator has ended your sessions.",
  unauthorized: "This server wants to know who you are.",
};

interface SignInProps {
  title: string;
  /** The code of why the last session ended. */
  code?: string | undefined;
  reason?: string | undefined;
  loginLink?: string | undefined;
  signIn(token: string): void;
}

/** Nobody is signed in: where to, or a box for a token. What was written waits in the outbox. */
export function SignIn({ title, code, reason, loginLink, signIn }: SignInProps) {
  const why = code === undefined ? undefined : told(code, reason);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    if (token !== "") signIn(tokenOf(token));
  }

  return (
    <main className="chatd sign-in">
      <h1>{title}</h1>
      {why !== undefined && (
        <p role="alert" className="bad">
          {why} What you wrote is kept here.
        </p>
      )}
      {loginLink !== undefined && (
        <p>
          <a className="button primary" href={loginLink}>
            Sign in
          </a>
        </p>
      )}
      <form onSubmit={submit}>
        <label htmlFor="token">{loginLink === undefined ? "Token" : "Or a token"}</label>
        <textarea
          id="token"
          name="token"
          required
          rows={4}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        />
        <button type="submit" className={loginLink === undefined ? "primary" : "plain"}>
          Connect
        </button>
      </form>
      <p className="soft">
        Whoever runs this server makes one with <code>chatd token mint --user you</code>. The link
        that <code>chatd serve</code> prints holds one, too.
      </p>
    </main>
  );
}

/** Why the last session ended. What is wrong with a token, the server says: what was put in is often
 * something else, and it names what to send instead. */
function told(code: string, reason: string | undefined): string | undefined {
  const known = WHY[code];
  if (known === undefined || reason === undefined || code !== "token_invalid") {
    return known ?? reason;
  }
  return `${known} ${reason}`;
}

/** A token out of what was put in: a whole link is taken for its token. */
function tokenOf(text: string): string {
  return /#token=([\w.-]+)/.exec(text)?.[1] ?? text.replace(/^Bearer\s+/i, "");
}

interface AskAboutLinkProps {
  title: string;
  link: string;
  stored: string;
  use(): void;
  ignore(): void;
}

/** A link would sign in somebody else than who is signed in. */
export function AskAboutLink({ title, link, stored, use, ignore }: AskAboutLinkProps) {
  const [theirs, ours] = [nameOf(link), nameOf(stored)];
  return (
    <main className="chatd sign-in">
      <h1>{title}</h1>
      <p role="alert">
        This link signs you in as <strong>{theirs}</strong>. You are <strong>{ours}</strong> in this
        browser.
      </p>
      <p>
        <button type="button" className="primary" onClick={ignore}>
          Stay {ours}
        </button>{" "}
        <button type="button" className="plain" onClick={use}>
          Switch to {theirs}
        </button>
      </p>
      <p className="soft">Links can come from anybody. Switch only where you expect it.</p>
    </main>
  );
}

/** A name with the id behind it: whoever made the link has chosen the name, and may have taken yours. */
function nameOf(token: string): string {
  const { name, userId } = claimsOf(token);
  if (userId === undefined) return "somebody unknown";
  const id = shown(userId);
  return name === undefined || name === userId ? id : `${shown(name)} (${id})`;
}

/** A text that changes nothing of what stands around it, whichever direction it has. */
function shown(text: string): string {
  return `\u2068${text.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, NAME_CHARS_MAX)}\u2069`;
}
