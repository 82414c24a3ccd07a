/**
 * What rows of a list have to remember while they are not drawn: what was unfolded, and an edit
 * under way. A row comes back as it was, and as high as it was.
 */
import { createContext, useContext, useState, type ReactNode } from "react";

export interface RowMemory {
  /** The parts that somebody has unfolded, by message and part. */
  readonly unfolded: Set<string>;
  /** Text that is being written in place of a message, by its id. */
  readonly drafts: Map<string, EditDraft>;
  /** The reader has asked for the next growth: what stands above it stays where it is. */
  holdStill(): void;
}

export interface EditDraft {
  readonly text: string;
  /** The rev of the message when the edit was begun. */
  readonly rev: number;
}

const RowMemoryContext = createContext<RowMemory | undefined>(undefined);

interface RowMemoryProviderProps {
  holdStill(): void;
  children: ReactNode;
}

export function RowMemoryProvider({ holdStill, children }: RowMemoryProviderProps) {
  const [memory] = useState<RowMemory>(() => ({
    unfolded: new Set(),
    drafts: new Map(),
    holdStill,
  }));
  return <RowMemoryContext.Provider value={memory}>{children}</RowMemoryContext.Provider>;
}

export function useRowMemory(): RowMemory {
  const memory = useContext(RowMemoryContext);
  if (memory === undefined) throw new Error("Put this component into a RowMemoryProvider.");
  return memory;
}
