import { isComposed } from "./useKeyDown";
import { useEffect, type RefObject } from "react";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";

const REGIONS = ["rooms", "list", "composer", "panel"] as const;
/** How long after the first Esc, which asks, a second one stops the answer. Unit: ms. */
const ASKED_MS = 4_000;

/**
 * The keys that work anywhere in the chat, and while nothing at all has the focus. They are heard
 * last, on the window: React listens at its root, so a key that a part has taken never comes here,
 * or is marked as prevented.
 */
export function useKeys(chat: Chat, root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function onKeyDown(event: KeyboardEvent) {
      if (event.defaultPrevented || isComposed(event)) return;
      if (isFor(element as HTMLElement, event) && act(event)) event.preventDefault();
    }

    function act(event: KeyboardEvent): boolean {
      const ui = chat.ui.getState();
      const isCommand = event.ctrlKey || event.metaKey;
      if (isCommand && !event.altKey && event.key.toLowerCase() === "k") {
        ui.openDialog("switch");
        return true;
      }
      if (isCommand && event.shiftKey && event.key.toLowerCase() === "f") {
        ui.openPanel({ kind: "search" });
        return true;
      }
      // The other keys act on the page, which a dialog covers; the browser closes the dialog by
      // Esc.
      if (isInDialog(event)) return false;
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        goToNeighbour(chat.store.getState(), event.key === "ArrowUp" ? -1 : 1, event.shiftKey);
        return true;
      }
      if (event.key === "F6") {
        focusNextRegion(element as HTMLElement, event.shiftKey ? -1 : 1);
        return true;
      }
      if (event.key === "?" && !isTextBox(event)) {
        ui.openDialog("keys");
        return true;
      }
      return event.key === "Escape" && !event.shiftKey && escape();
    }

    /** Close the panel; else stop the user's own answer, once asked; else go to the composer. */
    function escape(): boolean {
      const ui = chat.ui.getState();
      if (ui.panel !== undefined) {
        ui.closePanel();
        return true;
      }
      const question = ownRunningQuestion(chat);
      if (question !== undefined) {
        if (ui.stopping === question) {
          void chat.store.getState().cancelAnswer(question);
        } else {
          ui.announce("Press Escape again to stop your answer.", "assertive");
          askToStop(question);
        }
        return true;
      }
      ui.compose("", "insert");
      return true;
    }

    /** Shows at the answer what a second Esc does. */
    function askToStop(stopping: string): void {
      clearTimeout(timer);
      chat.ui.setState({ stopping });
      timer = setTimeout(() => chat.ui.setState({ stopping: undefined }), ASKED_MS);
    }

    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [chat, root]);
}

/** Whether a key is for a chat: it has the focus, or nothing has, and it is the first of the page. */
function isFor(root: HTMLElement, event: KeyboardEvent): boolean {
  const { ownerDocument } = root;
  if (event.composedPath().includes(root)) return true;
  const isNowhere = event.target === ownerDocument.body || event.target === ownerDocument;
  return isNowhere && ownerDocument.querySelector(".chatd.app") === root;
}

/** The room above or below in the list; only among those with something new, if that is asked. */
export function neighbour(state: ChatState, step: 1 | -1, isUnread: boolean): string | undefined {
  const { rooms } = state;
  const at = rooms.findIndex((room) => room.connectionId === state.room);
  for (let passed = 1; passed <= rooms.length; passed++) {
    const room = rooms[(at + step * passed + rooms.length * 2) % rooms.length];
    if (room !== undefined && (!isUnread || room.unread > 0)) return room.connectionId;
  }
  return undefined;
}

function goToNeighbour(state: ChatState, step: 1 | -1, isUnread: boolean): void {
  const room = neighbour(state, step, isUnread);
  if (room !== undefined) void state.openRoom(room);
}

function focusNextRegion(root: HTMLElement, step: 1 | -1): void {
  const regions = REGIONS.flatMap((name) => {
    const region = root.querySelector<HTMLElement>(`[data-region="${name}"]`);
    return region !== null && region.offsetParent !== null ? [region] : [];
  });
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const first = step === 1 ? 0 : regions.length - 1;
  const next = regions[at < 0 ? first : (at + step + regions.length) % regions.length];
  next?.querySelector<HTMLElement>(FOCUSABLE)?.focus();
}

const FOCUSABLE = [
  "[data-focus-first]",
  "[aria-current=page]",
  "textarea",
  '[tabindex="0"]',
  "button:not(:disabled)",
  "input",
].join(", ");

/** Whether a key is pressed in a dialog. The browser itself closes the dialog by Esc. */
function isInDialog(event: KeyboardEvent): boolean {
  return event.composedPath().some((part) => part instanceof HTMLDialogElement);
}

function isTextBox(event: KeyboardEvent): boolean {
  return event
    .composedPath()
    .some(
      (part) =>
        part instanceof HTMLElement &&
        (part.matches("input, textarea, select") || part.isContentEditable),
    );
}

/** The newest question of the user's own, in the open room, that is being answered. */
function ownRunningQuestion(chat: Chat): string | undefined {
  const { views, room, messages, me } = chat.store.getState();
  const ids = views.get(room)?.ids ?? [];
  const id = ids.findLast((one) => {
    const running = chat.answers.get(one);
    if (running === undefined || running.phase === "ended") return false;
    return (running.askedBy ?? messages.get(running.questionId)?.userId) === me?.userId;
  });
  return id === undefined ? undefined : chat.answers.get(id)?.questionId;
}
