import { useEffect, type RefObject } from "react";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";

const REGIONS = ["rooms", "list", "composer", "panel"] as const;
/** How long a second Esc stops the answer that the first one asked about. Unit: ms. */
const ASKED_MS = 4_000;

/**
 * The keys that work anywhere in the chat, and where nothing at all has the focus. They are heard
 * last, on the window: React hears at its root, so what a part has taken never comes here, or is
 * marked as prevented.
 */
export function useKeys(chat: Chat, root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    let askedAt = -Infinity;

    function onKeyDown(event: KeyboardEvent) {
      if (event.defaultPrevented || event.isComposing) return;
      if (isOurs(event, element as HTMLElement) && act(event)) event.preventDefault();
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
      // The others are those of the page, which a dialog covers; the browser closes that by Esc.
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
      if (event.key !== "Escape" || event.shiftKey || isInDialog(event)) return false;
      return escape(event.timeStamp);
    }

    /** Close the panel; else stop the user's own answer, once asked; else go to the composer. */
    function escape(at: number): boolean {
      const ui = chat.ui.getState();
      if (ui.panel !== undefined) {
        ui.closePanel();
        return true;
      }
      const question = ownRunningQuestion(chat);
      if (question !== undefined) {
        if (at - askedAt < ASKED_MS) {
          void chat.store.getState().cancelAnswer(question);
        } else {
          askedAt = at;
          ui.announce("Press Escape again to stop your answer.", "assertive");
        }
        return true;
      }
      ui.compose("", "insert");
      return true;
    }

    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [chat, root]);
}

/** The room above or below in the list; of those with something new, where that is asked. */
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

function isOurs(event: KeyboardEvent, root: HTMLElement): boolean {
  return event.composedPath().includes(root) || event.target === document.body;
}

/** Esc closes the dialog that it is pressed in, which the browser does itself. */
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
