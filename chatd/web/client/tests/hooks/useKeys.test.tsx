import { act, useRef, type ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { AnswerProgress } from "../../src/components/AnswerProgress";
import { useKeys } from "../../src/hooks/useKeys";
import { useKeyDown } from "../../src/hooks/useKeyDown";
import { runningAnswer } from "../answerFakes";
import { fakeChat, fakeMessage, type FakeChat } from "../fakes";
import { draw, press } from "../components/rendering";

const PANEL = { kind: "people" } as const;

function Frame({ chat, children }: { chat: FakeChat; children: ReactNode }) {
  const root = useRef<HTMLDivElement>(null);
  useKeys(chat, root);
  return (
    <div className="chatd app" ref={root}>
      {children}
    </div>
  );
}

/** A frame around something, with a panel that is open. */
function frame(children: ReactNode): { chat: FakeChat; page: HTMLElement } {
  const chat = fakeChat([]);
  const page = draw(chat, <Frame chat={chat}>{children}</Frame>);
  act(() => chat.ui.getState().openPanel(PANEL));
  return { chat, page };
}

function Native() {
  const box = useRef<HTMLInputElement>(null);
  useKeyDown(box, (event) => event.key === "Escape");
  return <input ref={box} />;
}

afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

test("closes the panel by Esc where no part takes the key", async () => {
  const { chat, page } = frame(<button type="button">One</button>);
  await press(page.querySelector("button") as Element, "Escape");
  expect(chat.ui.getState().panel).toBeUndefined();
});

test.each<[string, () => ReactNode]>([
  ["stops it", () => <input onKeyDown={(event) => event.stopPropagation()} />],
  ["prevents what else it does", () => <input onKeyDown={(event) => event.preventDefault()} />],
  ["has a handler of the browser", () => <Native />],
])("leaves a key alone whose part %s", async (_, part) => {
  const { chat, page } = frame(part());
  await press(page.querySelector("input") as Element, "Escape");
  expect(chat.ui.getState().panel).toEqual(PANEL);
});

test("stops one's own answer by a second Esc, which the answer asks for", async () => {
  vi.useFakeTimers();
  const answer = fakeMessage(2, { userId: "db:demo" });
  const chat = fakeChat([fakeMessage(1, { userId: "ada" }), answer]);
  const live = runningAnswer({ askedBy: "ada" });
  chat.answers.put(live);
  const page = draw(
    chat,
    <Frame chat={chat}>
      <AnswerProgress live={live} phase="running" whose={undefined} />
    </Frame>,
  );
  const { cancelAnswer } = chat.store.getState();
  await press(document.body, "Escape");
  expect(page.textContent).toContain("or press Esc again");
  await act(() => vi.advanceTimersByTimeAsync(5_000));
  expect(page.textContent).not.toContain("again");
  await press(document.body, "Escape");
  expect(cancelAnswer).not.toHaveBeenCalled();
  await press(document.body, "Escape");
  expect(cancelAnswer).toHaveBeenCalledExactlyOnceWith(live.questionId);
});

test("leaves Esc in a dialog to the dialog", async () => {
  const { chat, page } = frame(
    <dialog open>
      <input />
    </dialog>,
  );
  await press(page.querySelector("input") as Element, "Escape");
  expect(chat.ui.getState().panel).toEqual(PANEL);
});

test("is heard where nothing has the focus, and not from elsewhere", async () => {
  const { chat } = frame(null);
  const other = document.body.appendChild(document.createElement("input"));
  await press(other, "k", { ctrlKey: true });
  expect(chat.ui.getState().dialog).toBeUndefined();
  await press(document.body, "k", { ctrlKey: true });
  expect(chat.ui.getState().dialog).toBe("switch");
});
