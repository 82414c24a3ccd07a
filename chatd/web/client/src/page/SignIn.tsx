import { isComposed } from "../hooks/useKeyDown";
import { useEffect, useState, type FormEvent, type KeyboardEvent } from "react";
import { keepsText } from "./kept";
import { claimsOf } from "./session";

/** How much of a name, or of an id, is shown. Unit: UTF-16 code units. */
const NAME_CHARS_MAX = 80;

const WHY: Record<string, string> = {
  token_expired: "Your sign-in has run out.",
  token_invalid: "This server does not accept that token.",
  token_revoked: "An administrator has ended your sessions.",
  unauthorized: "This server wants to know who you are.",
};

interface SignInProps {
  title: string;
  /** The code that says why the last session ended. */
  code?: string | undefined;
  reason?: string | undefined;
  /** Whose session that was. */
  userId?: string | undefined;
  loginLink?: string | undefined;
  /** Whether the server makes tokens itself, if that is known. */
  mints?: boolean | undefined;
  signIn(token: string): void;
}

/**
 * Nobody is signed in: a link to sign in, or a box for a token. What was written waits in this
 * browser.
 */
export function SignIn({ title, code, reason, userId, loginLink, mints, signIn }: SignInProps) {
  const why = code === undefined ? undefined : told(code, reason);
  const isKept = useKept(userId);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    if (token !== "") signIn(tokenOf(token));
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key !== "Enter" || isComposed(event.nativeEvent)) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  }

  return (
    <main className="chatd sign-in">
      <h1>{title}</h1>
      {why !== undefined && (
        <p role="alert" className="bad">
          {why}
          {isKept && " What you wrote is kept here."}
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
          onKeyDown={onKeyDown}
        />
        <button type="submit" className={loginLink === undefined ? "primary" : "plain"}>
          Connect
        </button>
      </form>
      {mints !== undefined && <p className="soft">{mints ? OWN_TOKENS : ISSUED_TOKENS}</p>}
      {mints === false && loginLink === undefined && <p className="soft">{NO_LINK}</p>}
    </main>
  );
}

const OWN_TOKENS = (
  <>
    Whoever runs this server makes one with <code>chatd token mint --user you</code>. The link that{" "}
    <code>chatd serve</code> prints contains one, too.
  </>
);
const ISSUED_TOKENS = "The sign-in of your organisation gives you one.";
/** For whoever runs the server. */
const NO_LINK = (
  <>
    If you run this server: with <code>[web] login_url</code> this page links to that sign-in.
  </>
);

/** Whether something is kept of what a user wrote; false until that is known. */
function useKept(userId: string | undefined): boolean {
  const [isKept, setKept] = useState(false);
  useEffect(() => {
    let isWanted = true;
    if (userId) void keepsText(userId).then((kept) => isWanted && setKept(kept));
    return () => {
      isWanted = false;
    };
  }, [userId]);
  return isKept;
}

/**
 * Why the last session ended. The server says what is wrong with a token: what was entered is often
 * something else, and the server names what to send instead.
 */
function told(code: string, reason: string | undefined): string | undefined {
  const known = WHY[code];
  if (known === undefined || reason === undefined || code !== "token_invalid") {
    return known ?? reason;
  }
  return `${known} ${reason}`;
}

/** The token in what was entered; of a whole link, its token. */
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

/** A link would sign in another user than the one who is signed in. */
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

/**
 * A name with the id after it: whoever made the link has chosen the name, and may have used yours.
 */
function nameOf(token: string): string {
  const { name, userId } = claimsOf(token);
  if (userId === undefined) return "somebody unknown";
  const id = shown(userId);
  return name === undefined || name === userId ? id : `${shown(name)} (${id})`;
}

/** A text that changes nothing around it, whichever direction it runs in. */
function shown(text: string): string {
  return `\u2068${text.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, NAME_CHARS_MAX)}\u2069`;
}
