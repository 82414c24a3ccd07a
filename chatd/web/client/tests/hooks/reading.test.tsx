import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MessageList } from "../../src/components/MessageList";
import type { RoomView } from "../../src/stores/state";
import { draw, withSizes } from "../components/rendering";
import { fakeChat, fakeMessage, fakeRoom, fakeView } from "../fakes";

let isFocused = true;
let visibility: DocumentVisibilityState = "visible";

beforeEach(() => {
  vi.useFakeTimers();
  isFocused = true;
  visibility = "visible";
  vi.spyOn(document, "hasFocus").mockImplementation(() => isFocused);
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
  withSizes(600, ROW);
});
afterEach(() => void vi.useRealTimers());

/** As high as a message of one line is thought to be. */
const ROW = 44;
const held = Array.from({ length: 60 }, (_, at) => fakeMessage(at + 1));

function drawn(over: Partial<RoomView> = {}, readSeq = 0) {
  const chat = fakeChat(held, {
    rooms: [fakeRoom("demo", { readSeq, unread: 60 - readSeq })],
    views: new Map([["demo", fakeView(held, over)]]),
  });
  const host = draw(chat, <MessageList room="demo" />);
  const log = host.querySelector("[role=log]") as HTMLElement;
  vi.spyOn(log, "scrollHeight", "get").mockReturnValue(60 * ROW);
  const read = () => vi.mocked(chat.store.getState().markAsRead).mock.calls.map(([id]) => id);
  return { chat, log, read };
}

async function scrollTo(log: HTMLElement, top: number) {
  await act(async () => {
    log.scrollTop = top;
    log.dispatchEvent(new Event("scroll"));
  });
}

const pass = async (ms: number) => act(async () => void (await vi.advanceTimersByTimeAsync(ms)));
const idOf = (seq: number) => fakeMessage(seq).messageId;

test("the end is read when it has been looked at for a while", async () => {
  const { log, read } = drawn();
  await scrollTo(log, 60 * ROW - 600);
  await pass(300);
  expect(read()).toEqual([]);
  await pass(300);
  expect(read()).toEqual([idOf(60)]);
});

test("opening a room reads nothing", async () => {
  const { log, read } = drawn({ firstUnread: 30 }, 29);
  await scrollTo(log, 24 * ROW);
  await pass(5_000);
  expect(read()).toEqual([]);
});

test("the end is not read while the list waits for a place elsewhere in the room", async () => {
  const { chat, log, read } = drawn({ isLoading: true }, 10);
  await scrollTo(log, 60 * ROW - 600);
  await pass(5_000);
  expect(read()).toEqual([]);
  await act(async () => chat.store.setState({ views: new Map([["demo", fakeView(held)]]) }));
  await pass(600);
  expect(read()).toEqual([idOf(60)]);
});

test("what was scrolled past is read, once in a while and once only", async () => {
  const { log, read } = drawn();
  for (const row of [0, 5, 9, 20]) await scrollTo(log, row * ROW + 12);
  await pass(600);
  expect(read()).toEqual([idOf(20)]);
  await scrollTo(log, 4 * ROW);
  await pass(600);
  expect(read()).toEqual([idOf(20)]);
});

test("what was read before is not told again", async () => {
  const { log, read } = drawn({}, 40);
  await scrollTo(log, 20 * ROW);
  await pass(600);
  expect(read()).toEqual([]);
});

test("nothing is read in a tab that is hidden or has not the focus, until it comes back", async () => {
  isFocused = false;
  const { log, read } = drawn();
  await scrollTo(log, 60 * ROW - 600);
  await pass(2_000);
  visibility = "hidden";
  isFocused = true;
  await scrollTo(log, 60 * ROW - 600);
  await pass(2_000);
  expect(read()).toEqual([]);
  visibility = "visible";
  await act(async () => void document.dispatchEvent(new Event("visibilitychange")));
  await pass(600);
  expect(read()).toEqual([idOf(60)]);
});

test("what a jump has skipped is not read by scrolling on behind it", async () => {
  const { chat, log, read } = drawn({}, 10);
  await act(async () =>
    chat.store.setState({ target: { room: "demo", messageId: idOf(40), serial: 1 } }),
  );
  for (const row of [30, 35]) await scrollTo(log, row * ROW + 12);
  await pass(600);
  expect(read()).toEqual([]);
  for (const row of [10, 20]) await scrollTo(log, row * ROW + 12);
  await pass(600);
  expect(read()).toEqual([idOf(20)]);
});

test("the end of a stretch elsewhere in the room is not the end of the room", async () => {
  const { log, read } = drawn({ mode: "around", hasNewer: true, lastSeq: 900 }, 20);
  for (const top of [20 * ROW, 60 * ROW - 600]) await scrollTo(log, top);
  await pass(600);
  expect(read()).toEqual([idOf(46)]);
});

test("a message that comes while the end is in view is read", async () => {
  const { chat, log, read } = drawn({}, 60);
  await scrollTo(log, 60 * ROW - 600);
  await pass(600);
  const all = [...held, fakeMessage(61)];
  await act(async () =>
    chat.store.setState({
      messages: new Map(all.map((message) => [message.messageId, message])),
      views: new Map([["demo", fakeView(all)]]),
    }),
  );
  await pass(600);
  expect(read()).toEqual([idOf(61)]);
});

test("a message that this browser still sends is not read", async () => {
  const { chat, log, read } = drawn({}, 59);
  const waiting = fakeMessage(61, { status: "pending" });
  delete waiting.seq;
  await act(async () => {
    const messages = new Map(chat.store.getState().messages).set(waiting.messageId, waiting);
    chat.store.setState({ messages, views: new Map([["demo", fakeView([...held, waiting])]]) });
  });
  await scrollTo(log, 60 * ROW - 600);
  await pass(600);
  expect(read()).toEqual([idOf(60)]);
});
