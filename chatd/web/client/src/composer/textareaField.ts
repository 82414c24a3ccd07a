import type { Change, Field, Selection } from "./field";

/** A textarea as a box. What `replace` puts into it can be undone, if the browser can do that. */
export class TextareaField implements Field {
  private box: HTMLTextAreaElement | null = null;
  private isInComposition = false;
  private isOwn = false;
  private onChange: (change: Change) => void = () => {};

  /** The textarea that it stands for, and what is called at each change. */
  attach(box: HTMLTextAreaElement | null, onChange: (change: Change) => void): void {
    this.box = box;
    this.onChange = onChange;
  }

  text(): string {
    return this.box?.value ?? "";
  }

  selection(): Selection {
    const { box } = this;
    return { from: box?.selectionStart ?? 0, to: box?.selectionEnd ?? 0 };
  }

  setText(text: string): void {
    const { box } = this;
    if (box === null || box.value === text) return;
    box.value = text;
    box.setSelectionRange(text.length, text.length);
    box.scrollTop = box.scrollHeight;
    this.changed(false);
  }

  replace(from: number, to: number, insert: string): void {
    const { box } = this;
    if (box === null) return;
    this.isOwn = true;
    try {
      box.setSelectionRange(from, to);
      if (!isInsertedAsTyped(box, insert)) {
        box.setRangeText(insert, from, to, "end");
        this.changed(false);
      }
    } finally {
      this.isOwn = false;
    }
  }

  focus(): void {
    this.box?.focus();
  }

  hasFocus(): boolean {
    const { box } = this;
    return box !== null && box.ownerDocument.activeElement === box;
  }

  isComposing(): boolean {
    return this.isInComposition;
  }

  /** An input method begins to choose letters, or has ended. */
  heardComposition(isOn: boolean): void {
    this.isInComposition = isOn;
  }

  /** The textarea says that its text has changed. */
  heardInput(): void {
    this.changed(!this.isOwn);
  }

  private changed(isTyped: boolean): void {
    const { from, to } = this.selection();
    this.onChange({ text: this.text(), cursor: from === to ? from : undefined, isTyped });
  }
}

/** Insert as the keyboard does, so that it can be undone; false if that is not possible. */
function isInsertedAsTyped(box: HTMLTextAreaElement, insert: string): boolean {
  const { ownerDocument } = box;
  if (ownerDocument.activeElement !== box || typeof ownerDocument.execCommand !== "function")
    return false;
  return insert === ""
    ? ownerDocument.execCommand("delete")
    : ownerDocument.execCommand("insertText", false, insert);
}
