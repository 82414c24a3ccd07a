/** Answers on a page of their own, for tests. */
import { Profiler, act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { AnswerCard } from "../../src/components/AnswerCard";
import { ChatProvider, useChatStore } from "../../src/hooks/useChat";
import type { ChatState } from "../../src/stores/state";
import type { Answer, ChatMessage } from "../../src/websocket/types";
import { doneAnswer } from "../answerFakes";
import { fakeChat, fakeMessage, type FakeChat } from "../fakes";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

export interface Shown {
  chat: FakeChat;
  page: HTMLElement;
  /** How often something below the card was rendered. */
  renders(): number;
  close(): Promise<void>;
}

/** A question, by Bob unless it says otherwise. */
export function question(content: string, over: Partial<ChatMessage> = {}): ChatMessage {
  return fakeMessage(1, { content, ...over });
}

/** The message that holds an answer to `question`. */
export function answered(answer: Partial<Answer>, over: Partial<ChatMessage> = {}): ChatMessage {
  const { messageId } = question("");
  return fakeMessage(2, {
    userId: "db:demo",
    content: "",
    replyTo: messageId,
    answer: doneAnswer(answer),
    ...over,
  });
}

/** A message that stands for an answer under way. */
export function placeholder(): ChatMessage {
  const { seq: _, answer: __, ...message } = answered({});
  return message;
}

/** Show the card of the last message, with what the chat says of it. */
export async function showCard(
  messages: readonly ChatMessage[],
  over: Partial<ChatState> = {},
  prepare: (chat: FakeChat) => void = () => {},
): Promise<Shown> {
  const chat = fakeChat(messages, over);
  prepare(chat);
  const id = messages.at(-1)?.messageId ?? "";
  return show(chat, <CardOf id={id} />);
}

export async function show(chat: FakeChat, content: ReactNode): Promise<Shown> {
  const page = document.createElement("main");
  page.className = "chatd";
  document.body.append(page);
  let renders = 0;
  const root: Root = createRoot(page);
  await act(async () => {
    root.render(
      <ChatProvider chat={chat}>
        <Profiler id="card" onRender={() => (renders += 1)}>
          {content}
        </Profiler>
      </ChatProvider>,
    );
  });
  return {
    chat,
    page,
    renders: () => renders,
    async close() {
      await act(async () => root.unmount());
      page.remove();
    },
  };
}

function CardOf({ id }: { id: string }) {
  const message = useChatStore((state) => state.messages.get(id));
  return message === undefined ? null : <AnswerCard message={message} />;
}

/** The button with this name. */
export function button(within: ParentNode, name: string): HTMLButtonElement {
  const found = [...within.querySelectorAll("button")].find(
    (one) => one.textContent === name || one.getAttribute("aria-label") === name,
  );
  if (found === undefined) throw new Error(`There is no button ${name}.`);
  return found;
}

export function names(within: ParentNode): string[] {
  return [...within.querySelectorAll("button")].map(
    (one) => one.getAttribute("aria-label") ?? one.textContent ?? "",
  );
}

export async function click(element: Element): Promise<void> {
  await act(async () => {
    element.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  });
}

export async function press(element: Element, key: string, init: KeyboardEventInit = {}) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  await act(async () => {
    element.dispatchEvent(event);
  });
  return event;
}

/** What a table shows, row by row. */
export function cells(within: ParentNode): string[][] {
  return [...within.querySelectorAll("tbody tr[data-row]")].map((row) =>
    [...row.querySelectorAll("[data-column]")].map((cell) => cell.textContent ?? ""),
  );
}
