import { act } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ExpiringNotice } from "../../src/components/ExpiringNotice";
import { Notices } from "../../src/components/Notices";
import type { ChatState } from "../../src/stores/state";
import { fakeChat, fakeRoom } from "../fakes";
import { button, click, draw } from "./rendering";

const kept = { id: 1, kind: "error", text: "It was not sent.", kept: "my words" } as const;

function drawn(state: Partial<ChatState>) {
  const chat = fakeChat([], { notices: [kept], ...state });
  return { chat, host: draw(chat, <Notices />) };
}

test("text that was not sent is put back into the box", async () => {
  const { chat, host } = drawn({});
  await click(button(host, "Put it back"));
  expect(chat.ui.getState().composerText).toMatchObject({ text: "my words", how: "insert" });
  expect(chat.store.getState().dismissNotice).toHaveBeenCalledWith(1);
});

test("where there is no box, it stays in the notice", () => {
  const { host } = drawn({ rooms: [fakeRoom("demo", { role: "viewer" })] });
  expect(host.textContent).toContain("It was not sent.");
  expect(() => button(host, "Put it back")).toThrow();
});

describe("a notice that does not stay", () => {
  const said = { id: 2, kind: "error", text: "No.", room: "demo" } as const;

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

  test("goes after a time, and one that keeps a text does not", async () => {
    const { chat } = drawn({ notices: [said, kept] });
    const { dismissNotice } = chat.store.getState();
    await pass(11_900);
    expect(dismissNotice).not.toHaveBeenCalled();
    await pass(60_000);
    expect(dismissNotice).toHaveBeenCalledExactlyOnceWith(2);
  });

  test.each([
    ["pointerover", "pointerout"],
    ["focusin", "focusout"],
  ])("is held by what is on it: %s", async (come, gone) => {
    const { chat, host } = drawn({ notices: [said] });
    const { dismissNotice } = chat.store.getState();
    const close = button(host, "Close this notice");
    const tell = (name: string) =>
      act(async () => void close.dispatchEvent(new Event(name, { bubbles: true })));
    await pass(11_000);
    await tell(come);
    await pass(60_000);
    expect(dismissNotice).not.toHaveBeenCalled();
    await tell(gone);
    await pass(12_000);
    expect(dismissNotice).toHaveBeenCalledOnce();
  });

  test("waits for who looks at another tab", async () => {
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    const { chat } = drawn({ notices: [said] });
    const { dismissNotice } = chat.store.getState();
    await pass(60_000);
    expect(dismissNotice).not.toHaveBeenCalled();
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event("visibilitychange"));
    await pass(12_000);
    expect(dismissNotice).toHaveBeenCalledOnce();
  });
});

test("a token that is not taken is told once, where it was put in", async () => {
  const chat = fakeChat([], { expiringAt: 1, refreshToken: vi.fn(async () => false) });
  const onToken = vi.fn();
  const host = draw(chat, <ExpiringNotice onToken={onToken} />);
  (host.querySelector("input") as HTMLInputElement).value = " junk ";
  await click(button(host, "Stay"));
  expect(chat.store.getState().refreshToken).toHaveBeenCalledWith("junk");
  act(() => chat.store.setState({ tokenRefusal: "The token is not a JWT." }));
  expect(host.querySelectorAll(".bad")).toHaveLength(1);
  expect(host.textContent).toContain("The token is not a JWT.");
  expect(onToken).not.toHaveBeenCalled();
});
