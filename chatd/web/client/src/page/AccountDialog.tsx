import { useId, useState } from "react";
import { useChat, useChatStore, useUi } from "../hooks/useChat";
import { counted } from "../format";
import type { Theme } from "../components/ChatInterface";
import { ModalDialog } from "../components/ModalDialog";
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

/** Sign out; where messages were not sent yet, ask what becomes of them. */
function SignOut({ signedOut }: { signedOut(): void }) {
  const chat = useChat();
  const waiting = useChatStore((state) =>
    [...state.waiting.values()].reduce((sum, n) => sum + n, 0),
  );
  const [isAsking, setIsAsking] = useState(false);

  async function leave(discard: boolean) {
    await chat.signOut({ discard });
    signedOut();
  }

  if (isAsking && waiting > 0) {
    return (
      <div role="alert">
        <p>
          {counted(waiting, "message")} {waiting === 1 ? "was" : "were"} not sent. Keep{" "}
          {waiting === 1 ? "it" : "them"} for your next sign-in, or delete{" "}
          {waiting === 1 ? "it" : "them"}?
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
      <button
        type="button"
        className="plain"
        onClick={() => (waiting > 0 ? setIsAsking(true) : void leave(false))}
      >
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
