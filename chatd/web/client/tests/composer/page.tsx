/** A composer on a page, and a person before it. */
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { ChatProvider } from "../../src/hooks/useChat";
import type { Chat } from "../../src/stores/chat";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

export interface Page {
  readonly root: HTMLElement;
  show(node: ReactNode): void;
  leave(): void;
}

/** Shows components of a chat. Call `leave` at the end of the test. */
export function openPage(chat: Chat, node: ReactNode): Page {
  const root = document.body.appendChild(document.createElement("div"));
  const react: Root = createRoot(root);
  const show = (shown: ReactNode) =>
    act(() => react.render(<ChatProvider chat={chat}>{shown}</ChatProvider>));
  show(node);
  return {
    root,
    show,
    leave() {
      act(() => react.unmount());
      root.remove();
    },
  };
}

export function boxOf(page: Page, at = 0): HTMLTextAreaElement {
  const box = page.root.querySelectorAll("textarea")[at];
  if (box === undefined) throw new Error("There is no box.");
  return box;
}

/** Types at the cursor, or in place of all where it begins anew. */
export function write(box: HTMLTextAreaElement, text: string): void {
  act(() => {
    box.focus();
    for (const letter of text) {
      const at = box.selectionStart;
      box.value = box.value.slice(0, at) + letter + box.value.slice(box.selectionEnd);
      box.setSelectionRange(at + letter.length, at + letter.length);
      box.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
  });
}

/** Puts a text into the box at once, as by pasting. */
export function paste(box: HTMLTextAreaElement, text: string): void {
  act(() => {
    box.focus();
    box.value = text;
    box.setSelectionRange(text.length, text.length);
    box.dispatchEvent(new InputEvent("input", { bubbles: true }));
  });
}

/** Presses a key, and waits for what comes of it: whether somebody took it. */
export async function press(
  target: Element,
  key: string,
  more: KeyboardEventInit = {},
): Promise<boolean> {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  await act(async () => {
    target.dispatchEvent(event);
  });
  return event.defaultPrevented;
}

export async function click(target: Element | null | undefined): Promise<void> {
  await act(async () => {
    (target as HTMLElement).click();
  });
}

export function texts(page: Page, selector: string): string[] {
  return [...page.root.querySelectorAll(selector)].map((element) => element.textContent ?? "");
}

export function buttonNamed(page: Page, name: string): HTMLButtonElement | undefined {
  return [...page.root.querySelectorAll("button")].find(
    (button) => (button.getAttribute("aria-label") ?? button.textContent) === name,
  );
}

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

/** A promise that a test keeps when it likes. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((keep, breaks) => {
    resolve = keep;
    reject = breaks;
  });
  return { promise, resolve, reject };
}
