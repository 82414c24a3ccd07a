import { useId, useState } from "react";
import { useChat, useChatStore, useUi } from "../hooks/useChat";
import { TOUCH, useMedia } from "../hooks/useMedia";
import { counted } from "../format";
import type { Theme } from "../components/ChatInterface";
import { ModalDialog } from "../components/ModalDialog";
import { draftsKept } from "./kept";
import type { Notify, Preferences } from "./preferences";

interface AccountDialogProps {
  /** Who is signed in. */
  name: string;
  preferences: Preferences;
  signedOut(): void;
  close(): void;
}

/** What this browser remembers, and the way out. */
export function AccountDialog({ name, preferences, signedOut, close }: AccountDialogProps) {
  return (
    <ModalDialog title={name} className="account-dialog" close={close}>
      <Settings preferences={preferences} close={close} />
      <SignOut signedOut={signedOut} />
    </ModalDialog>
  );
}

function Settings({ preferences, close }: { preferences: Preferences; close(): void }) {
  const openDialog = useUi((state) => state.openDialog);
  const openPanel = useUi((state) => state.openPanel);
  const isTouch = useMedia(TOUCH);
  const [refused, setRefused] = useState(false);

  async function setNotify(notify: Notify) {
    const isAllowed = notify === "nothing" || (await askToNotify());
    setRefused(!isAllowed);
    preferences.setNotify(isAllowed ? notify : "nothing");
  }

  return (
    <>
      <Choice<Theme>
        label="Colours"
        value={preferences.theme}
        choices={{ system: "As the system", light: "Light", dark: "Dark" }}
        choose={preferences.setTheme}
      />
      <Choice<Notify>
        label="Tell me outside of this page"
        value={preferences.notify}
        choices={{
          nothing: "Nothing",
          mentions: "Mentions, and answers to my questions",
          everything: "Every message",
        }}
        choose={(notify) => void setNotify(notify)}
      />
      {refused && (
        <p className="bad" role="alert">
          This browser does not let the page do that. Allow notifications for this site, and choose
          again.
        </p>
      )}
      <p className="account-links">
        {!isTouch && (
          <button
            type="button"
            className="plain"
            onClick={() => {
              close();
              openDialog("keys");
            }}
          >
            Keys
          </button>
        )}
        <button
          type="button"
          className="plain"
          onClick={() => {
            close();
            openPanel({ kind: "connection" });
          }}
        >
          Connection and log
        </button>
      </p>
    </>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  choices: Record<T, string>;
  choose(value: T): void;
}

function Choice<T extends string>({ label, value, choices, choose }: ChoiceProps<T>) {
  const id = useId();
  return (
    <p className="account-choice">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => choose(event.target.value as T)}>
        {Object.entries<string>(choices).map(([choice, words]) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
    </p>
  );
}

/** Sign out; if something was written and not sent, ask what becomes of it. All else goes. */
function SignOut({ signedOut }: { signedOut(): void }) {
  const chat = useChat();
  const waiting = useChatStore((state) =>
    [...state.waiting.values()].reduce((sum, n) => sum + n, 0),
  );
  const userId = useChatStore((state) => state.me?.userId ?? "");
  const [drafts, setDrafts] = useState<number>();

  async function leave(discard: boolean) {
    await chat.signOut({ discard });
    signedOut();
  }

  function ask() {
    const kept = draftsKept(userId);
    if (waiting + kept > 0) setDrafts(kept);
    else void leave(true);
  }

  if (drafts !== undefined) {
    const kept = [
      ...(waiting > 0 ? [counted(waiting, "unsent message")] : []),
      ...(drafts > 0 ? [counted(drafts, "draft")] : []),
    ];
    const them = waiting + drafts > 1 ? "them" : "it";
    return (
      <div role="alert">
        <p>
          This browser has {kept.join(" and ")} of yours. Keep {them} for your next sign-in, or
          delete {them}?
        </p>
        <p className="account-links">
          <button type="button" className="primary" onClick={() => void leave(false)}>
            Keep and sign out
          </button>
          <button type="button" className="danger" onClick={() => void leave(true)}>
            Delete and sign out
          </button>
        </p>
      </div>
    );
  }
  return (
    <p>
      <button type="button" className="plain" onClick={ask}>
        Sign out
      </button>
    </p>
  );
}

async function askToNotify(): Promise<boolean> {
  try {
    return (await Notification.requestPermission()) === "granted";
  } catch {
    return false; // a browser without notifications, or a page over plain http
  }
}
