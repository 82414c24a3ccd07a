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

/**
 * Text for the composer that comes from elsewhere: recalled, edited and run, or a failed message.
 */
export interface ComposerText {
  text: string;
  /** `replace` the draft, or `insert` at the cursor. */
  how: "replace" | "insert";
  /** Whose composer takes it; without it, the one that had the focus last. */
  at: { readonly threadId: string | undefined } | undefined;
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
  /** The user's own message that is being edited. */
  readonly editing: string | undefined;
  /**
   * The user's own question that was just edited in this tab: the edited question was not asked.
   */
  readonly edited: string | undefined;
  /** The question whose answer a second Esc stops. */
  readonly stopping: string | undefined;
  readonly composerText: ComposerText | undefined;
  readonly announcement: Announcement | undefined;
  openPanel(panel: Panel): void;
  closePanel(): void;
  openDialog(dialog: Dialog): void;
  closeDialog(): void;
  startEditing(messageId: string): void;
  stopEditing(): void;
  questionEdited(messageId: string): void;
  dropEdited(): void;
  /** Put text into the composer, and the focus. */
  compose(text: string, how?: "replace" | "insert", at?: ComposerText["at"]): void;
  /** Say something to people who cannot see the page. */
  announce(text: string, urgency?: "polite" | "assertive"): void;
}

export function createUi(): StoreApi<UiState> {
  return createStore<UiState>()((set) => ({
    panel: undefined,
    dialog: undefined,
    editing: undefined,
    edited: undefined,
    stopping: undefined,
    composerText: undefined,
    announcement: undefined,
    openPanel: (panel) => set({ panel }),
    closePanel: () => set({ panel: undefined }),
    openDialog: (dialog) => set({ dialog }),
    closeDialog: () => set({ dialog: undefined }),
    startEditing: (editing) => set({ editing, edited: undefined }),
    stopEditing: () => set({ editing: undefined }),
    questionEdited: (edited) => set({ edited }),
    dropEdited: () => set({ edited: undefined }),
    compose: (text, how = "replace", at) =>
      set((now) => ({
        composerText: { text, how, at, serial: (now.composerText?.serial ?? 0) + 1 },
      })),
    announce: (text, urgency = "polite") =>
      set((now) => ({
        announcement: { text, urgency, serial: (now.announcement?.serial ?? 0) + 1 },
      })),
  }));
}
