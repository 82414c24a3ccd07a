import { useUi } from "../hooks/useChat";
import { ModalDialog } from "./ModalDialog";

const KEYS: readonly (readonly [title: string, keys: readonly (readonly [string, string])[]])[] = [
  [
    "Anywhere",
    [
      ["Ctrl K", "go to a room or a command"],
      ["Alt ↑ or ↓", "the room above or below"],
      ["Alt Shift ↑ or ↓", "the same, among rooms with something new"],
      ["F6, Shift F6", "rooms, messages, composer, panel"],
      ["Ctrl Shift F", "search the messages"],
      ["Esc", "close what is open, then write"],
      ["Esc twice", "stop your answer"],
      ["?", "these keys, outside of text boxes"],
    ],
  ],
  [
    "While writing",
    [
      ["Enter", "send, or take what you have chosen"],
      ["Shift Enter", "a new line"],
      ["Ctrl Enter", "send, whatever is open"],
      ["Tab", "take the completion"],
      ["Ctrl Space", "show completions; ↑ ↓ choose"],
      ["↑ in an empty box", "what you wrote before"],
      ["Ctrl R", "search what you wrote before"],
      ["/ at the beginning", "the commands"],
      ["@", "the people here"],
    ],
  ],
  [
    "Among the messages",
    [
      ["↑ ↓ or K J", "one message up or down"],
      ["Home, End", "the first, the newest"],
      ["Enter", "what can be done with it"],
      ["R", "reply in a thread"],
      ["C", "copy its text"],
      ["L", "copy its link"],
      ["E", "edit it, or edit and run its question"],
    ],
  ],
  [
    "In a table",
    [
      ["arrow keys", "move from cell to cell"],
      ["Enter", "the whole value"],
      ["Ctrl C", "copy the value"],
    ],
  ],
];

/** `?`: all keys. */
export function KeysDialog() {
  const close = useUi((state) => state.closeDialog);
  return (
    <ModalDialog title="Keys" className="keys-dialog" isText close={close}>
      {KEYS.map(([title, keys]) => (
        <section key={title}>
          <h3>{title}</h3>
          <dl>
            {keys.map(([key, purpose]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{purpose}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </ModalDialog>
  );
}
