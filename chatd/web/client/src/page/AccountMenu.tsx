import { useState } from "react";
import { useChatStore } from "../hooks/useChat";
import { AccountDialog } from "./LazyPages";
import type { Preferences } from "./preferences";

interface AccountMenuProps {
  preferences: Preferences;
  signedOut(): void;
}

/** Who is signed in; it opens what this browser remembers, and the way out. */
export function AccountMenu({ preferences, signedOut }: AccountMenuProps) {
  const me = useChatStore((state) => state.me);
  const [isOpen, setIsOpen] = useState(false);
  const name = me?.name ?? me?.userId;
  return (
    <div className="account">
      <button
        type="button"
        className="account-name"
        aria-haspopup="dialog"
        onClick={() => setIsOpen(true)}
      >
        <span className="account-who">{name ?? "…"}</span>
        <span className="sr">: settings and sign out</span>
        <span className="soft" aria-hidden="true">
          Settings
        </span>
      </button>
      {isOpen && (
        <AccountDialog
          name={name ?? "Settings"}
          preferences={preferences}
          signedOut={signedOut}
          close={() => setIsOpen(false)}
        />
      )}
    </div>
  );
}
