import { expect, test, vi } from "vitest";
import { createStore } from "zustand/vanilla";
import { Batch } from "../../src/stores/batch";
import type { ChatState } from "../../src/stores/state";
import { fakeMessage, fakeState } from "../fakes";

const make = () => {
  const store = createStore<ChatState>()(() => fakeState());
  const changed = vi.fn();
  store.subscribe(changed);
  const failed = vi.fn();
  return { store, changed, failed, batch: new Batch(store, failed) };
};

test("all changes of one turn are one change of the store", async () => {
  const { store, changed, batch } = make();
  for (let n = 0; n < 50; n += 1) {
    batch.later((draft) => draft.map("messages").set(`${n}`, fakeMessage(n)));
  }
  expect(changed).not.toHaveBeenCalled();
  await Promise.resolve();
  expect(changed).toHaveBeenCalledTimes(1);
  expect(store.getState().messages.size).toBe(50);
});

test("a change at once comes after what waited, and sees it", () => {
  const { store, changed, batch } = make();
  batch.later((draft) => draft.set({ room: "sales" }));
  batch.now((draft) => draft.set({ reconnectAttempts: draft.state.room.length }));
  expect(store.getState()).toMatchObject({ room: "sales", reconnectAttempts: 5 });
  expect(changed).toHaveBeenCalledTimes(1);
});

test("what does not change is the same object, and no change is none", () => {
  const { store, changed, batch } = make();
  const { messages, views } = store.getState();
  batch.now((draft) => void draft.map("views").set("x", draft.state.views.get("x")!));
  expect(store.getState().messages).toBe(messages);
  expect(store.getState().views).not.toBe(views);
  changed.mockClear();
  batch.now(() => {});
  expect(changed).not.toHaveBeenCalled();
});

test("a change that fails does not take the others with it", () => {
  const { store, failed, batch } = make();
  batch.later((draft) => draft.set({ room: "a" }));
  batch.later(() => {
    throw new TypeError("no messages here");
  });
  batch.now((draft) => draft.set({ reconnectAttempts: 3 }));
  expect(store.getState()).toMatchObject({ room: "a", reconnectAttempts: 3 });
  expect(failed).toHaveBeenCalledTimes(1);
});
