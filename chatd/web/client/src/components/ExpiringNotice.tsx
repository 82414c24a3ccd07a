import type { FormEvent } from "react";
import { useChatStore } from "../hooks/useChat";

export interface ExpiringNoticeProps {
  /** Where to sign in again; without it, the user can enter a token. */
  loginUrl?: string | undefined;
  /** Called with a token that the server has accepted. */
  onToken?: ((token: string) => void) | undefined;
}

/** The sign-in ends soon: how to go on without losing anything. */
export function ExpiringNotice({ loginUrl, onToken }: ExpiringNoticeProps) {
  const expiringAt = useChatStore((state) => state.expiringAt);
  const refusal = useChatStore((state) => state.tokenRefusal);
  const refreshToken = useChatStore((state) => state.refreshToken);
  if (expiringAt === undefined) return null;

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    if (token !== "" && (await refreshToken(token))) onToken?.(token);
  }

  return (
    <div className="notice" data-kind="info" role="alert">
      <span>Your sign-in ends in a minute.</span>
      {loginUrl !== undefined ? (
        <a href={loginUrl} target="_blank" rel="noreferrer">
          Sign in again
        </a>
      ) : (
        <form onSubmit={(event) => void submit(event)}>
          <label>
            <span className="sr">A new token</span>
            <input name="token" placeholder="A new token" autoComplete="off" spellCheck={false} />
          </label>
          <button type="submit" className="plain">
            Stay
          </button>
        </form>
      )}
      {refusal !== undefined && <span className="notice-refusal bad">{refusal}</span>}
    </div>
  );
}
