import { isolateHistory } from "@codemirror/commands";
import {
  Annotation,
  type EditorState,
  type StateEffect,
  type Transaction,
} from "@codemirror/state";
import type { EditorView, ViewUpdate } from "@codemirror/view";
import type { Change, Field, Selection } from "./field";

/** Marks what we have put into the editor, and nobody has typed. */
const isOwn = Annotation.define<boolean>();

/** CodeMirror as a box. All that is put into it can be undone. */
export class EditorField implements Field {
  private view: EditorView | undefined;

  /** The editor that it stands for; undefined while there is none. */
  attach(view: EditorView | undefined): void {
    this.view = view;
  }

  apply(effect: StateEffect<unknown>): void {
    this.view?.dispatch({ effects: effect });
  }

  /** The element that has the focus and the labels. */
  element(): HTMLElement | undefined {
    return this.view?.contentDOM;
  }

  text(): string {
    return this.view?.state.doc.toString() ?? "";
  }

  selection(): Selection {
    const main = this.view?.state.selection.main;
    return { from: main?.from ?? 0, to: main?.to ?? 0 };
  }

  setText(text: string): void {
    if (this.text() !== text) this.put(0, this.view?.state.doc.length ?? 0, text);
  }

  replace(from: number, to: number, insert: string): void {
    this.put(from, to, insert);
  }

  focus(): void {
    this.view?.focus();
  }

  hasFocus(): boolean {
    return this.view?.hasFocus ?? false;
  }

  isComposing(): boolean {
    return this.view?.composing ?? false;
  }

  private put(from: number, to: number, insert: string): void {
    const { view } = this;
    if (view === undefined) return;
    // The editor knows one kind of line break, and counts it as one character.
    const text = view.state.toText(insert);
    view.dispatch({
      changes: { from, to, insert: text },
      selection: { anchor: from + text.length },
      annotations: [isOwn.of(true), isolateHistory.of("full")],
      scrollIntoView: true,
    });
  }
}

/** What an update has changed, in the words of a box. */
export function changeOf({ state, transactions }: ViewUpdate): Change {
  return {
    text: state.doc.toString(),
    cursor: cursorOf(state),
    isTyped: !transactions.some(isOurs),
  };
}

function isOurs(transaction: Transaction): boolean {
  return transaction.annotation(isOwn) === true;
}

function cursorOf({ selection }: EditorState): number | undefined {
  return selection.main.empty ? selection.main.head : undefined;
}
