/**
 * What rows of a list have to remember while they are not drawn: what was unfolded, and an edit
 * under way. A row comes back as it was, and as high as it was.
 */
import { createContext, useContext, useState, type ReactNode } from "react";
import { perChat } from "../composer/perChat";
import { useChat } from "./useChat";

export interface RowMemory {
  /** The parts that somebody has unfolded, by message and part. */
  readonly unfolded: Set<string>;
  /** Text that was written in place of a message, by its id; other lists of the chat have it too. */
  readonly drafts: Map<string, EditDraft>;
  /** An editor is drawn, or none any more; returns whether it is another message's than before. */
  editing(messageId: string | undefined): boolean;
  /** The reader has asked for the next growth: what stands above it stays where it is. */
  holdStill(): void;
}

export interface EditDraft {
  readonly text: string;
  /** The rev of the message when the edit was begun. */
  readonly rev: number;
}

const draftsOf = perChat(() => new Map<string, EditDraft>());

function isAnother(): RowMemory["editing"] {
  let last: string | undefined;
  return (messageId) => last !== (last = messageId);
}

const RowMemoryContext = createContext<RowMemory | undefined>(undefined);

interface RowMemoryProviderProps {
  holdStill(): void;
  children: ReactNode;
}

export function RowMemoryProvider({ holdStill, children }: RowMemoryProviderProps) {
  const drafts = draftsOf(useChat());
  const [memory] = useState<RowMemory>(() => ({
    unfolded: new Set(),
    drafts,
    editing: isAnother(),
    holdStill,
  }));
  return <RowMemoryContext.Provider value={memory}>{children}</RowMemoryContext.Provider>;
}

export function useRowMemory(): RowMemory {
  const memory = useContext(RowMemoryContext);
  if (memory === undefined) throw new Error("Put this component into a RowMemoryProvider.");
  return memory;
}
