/** What the page shows beside the messages: one panel, one dialog, one announcement at a time. */
import { createStore, type StoreApi } from "zustand/vanilla";

/** What the panel on the right shows. */
export type Panel =
  | { kind: "thread"; threadId: string }
  | { kind: "answer"; answerId: string }
  | { kind: "search" }
  | { kind: "people" }
  | { kind: "schema" }
  | { kind: "connection" };

export type Dialog = "switch" | "keys" | "rooms";

/** Text for the composer, from elsewhere: recalled, edited and run, or a message that failed. */
export interface ComposerText {
  text: string;
  /** `replace` the draft, or `insert` at the cursor. */
  how: "replace" | "insert";
  /** Grows with each one, so that the same text can come twice. */
  serial: number;
}

export interface Announcement {
  text: string;
  urgency: "polite" | "assertive";
  serial: number;
}

export interface UiState {
  readonly panel: Panel | undefined;
  readonly dialog: Dialog | undefined;
  /** The message of the user's own that is being edited. */
  readonly editing: string | undefined;
  readonly composerText: ComposerText | undefined;
  readonly announcement: Announcement | undefined;
  openPanel(panel: Panel): void;
  closePanel(): void;
  openDialog(dialog: Dialog): void;
  closeDialog(): void;
  startEditing(messageId: string): void;
  stopEditing(): void;
  /** Put text into the composer, and the focus. */
  compose(text: string, how?: "replace" | "insert"): void;
  /** Say something to who cannot see the page. */
  announce(text: string, urgency?: "polite" | "assertive"): void;
}

export function createUi(): StoreApi<UiState> {
  return createStore<UiState>()((set) => ({
    panel: undefined,
    dialog: undefined,
    editing: undefined,
    composerText: undefined,
    announcement: undefined,
    openPanel: (panel) => set({ panel }),
    closePanel: () => set({ panel: undefined }),
    openDialog: (dialog) => set({ dialog }),
    closeDialog: () => set({ dialog: undefined }),
    startEditing: (editing) => set({ editing }),
    stopEditing: () => set({ editing: undefined }),
    compose: (text, how = "replace") =>
      set((now) => ({ composerText: { text, how, serial: (now.composerText?.serial ?? 0) + 1 } })),
    announce: (text, urgency = "polite") =>
      set((now) => ({
        announcement: { text, urgency, serial: (now.announcement?.serial ?? 0) + 1 },
      })),
  }));
}
