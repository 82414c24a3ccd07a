/** Draws components of a chat into a page that the test looks at. */
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, vi } from "vitest";
import { ChatProvider } from "../../src/hooks/useChat";
import { RowMemoryProvider } from "../../src/hooks/useRowMemory";
import type { Chat } from "../../src/stores/chat";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const roots: Root[] = [];
afterEach(() => {
  act(() => {
    for (const root of roots.splice(0)) root.unmount();
  });
  document.body.replaceChildren();
});

/** Draw within a chat, and within a list that remembers its rows: the element around it. */
export function draw(chat: Chat, children: ReactNode): HTMLElement {
  const host = document.createElement("div");
  host.className = "chatd";
  document.body.append(host);
  const root = createRoot(host);
  roots.push(root);
  act(() =>
    root.render(
      <ChatProvider chat={chat}>
        <RowMemoryProvider holdStill={() => {}}>{children}</RowMemoryProvider>
      </ChatProvider>,
    ),
  );
  return host;
}

/** Let promises and effects come to their end. */
export async function settle(): Promise<void> {
  await act(async () => {
    await Promise.resolve();
  });
}

/** The button with this name, as a reader of the page has it. */
export function button(within: ParentNode, name: string | RegExp): HTMLButtonElement {
  const all = [...within.querySelectorAll("button")];
  const found = all.find((one) => {
    const called = one.getAttribute("aria-label") ?? one.textContent ?? "";
    return typeof name === "string" ? called.trim() === name : name.test(called);
  });
  if (found === undefined) throw new Error(`No button ${name} in: ${within.textContent}`);
  return found;
}

export async function click(element: HTMLElement): Promise<void> {
  await act(async () => element.click());
}

export async function press(element: Element, key: string, over = {}): Promise<KeyboardEvent> {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...over });
  await act(async () => void element.dispatchEvent(event));
  return event;
}

export async function type(box: HTMLInputElement | HTMLTextAreaElement, text: string) {
  const own = Object.getPrototypeOf(box) as object;
  await act(async () => {
    Object.getOwnPropertyDescriptor(own, "value")?.set?.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

export async function enter(element: Element): Promise<void> {
  await act(async () => {
    element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  });
}

/** Give all elements a size, which the tests' DOM does not: the list draws what it has room for. */
export function withSizes(height = 600, row = 40): void {
  const sizes = { clientHeight: height, clientWidth: 800, offsetHeight: row, offsetWidth: 800 };
  for (const [name, size] of Object.entries(sizes)) {
    vi.spyOn(HTMLElement.prototype, name as "clientHeight", "get").mockReturnValue(size);
  }
}
