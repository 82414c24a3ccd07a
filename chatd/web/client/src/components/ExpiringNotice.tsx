import { useState, type FormEvent } from "react";
import { useChatStore } from "../hooks/useChat";

export interface ExpiringNoticeProps {
  /** Where to sign in again; without it, a token can be put in. */
  loginUrl?: string | undefined;
  /** Told of a token that the server has taken. */
  onToken?: ((token: string) => void) | undefined;
}

/** The sign-in ends soon: how to go on without losing anything. */
export function ExpiringNotice({ loginUrl, onToken }: ExpiringNoticeProps) {
  const expiringAt = useChatStore((state) => state.expiringAt);
  const refreshToken = useChatStore((state) => state.refreshToken);
  const [isWrong, setIsWrong] = useState(false);
  if (expiringAt === undefined) return null;

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    const isTaken = token !== "" && (await refreshToken(token));
    setIsWrong(!isTaken);
    if (isTaken) onToken?.(token);
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
          {isWrong && <span className="bad">The server does not take this token for you.</span>}
        </form>
      )}
    </div>
  );
}
