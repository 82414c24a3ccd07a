import { useEffect, useState } from "react";
import type { SchemaView } from "../stores/state";
import { useChatStore } from "./useChat";

export interface SchemaReading {
  schema: SchemaView | undefined;
  isLoading: boolean;
  /** What is known is too recent to be read again. */
  isFresh: boolean;
  readAgain(): void;
}

/** The tables of a room's database, read when they are first wanted. */
export function useSchema(room: string): SchemaReading {
  const schema = useChatStore((state) => state.schemas.get(room));
  const load = useChatStore((state) => state.loadSchema);
  const isConnected = useChatStore((state) => state.isConnected);
  const [isLoading, setLoading] = useState(true);
  /** The schema that was there at the last request, and was kept. */
  const [stayed, setStayed] = useState<SchemaView | undefined>(undefined);

  // Also when the connection has come back: what failed without it is read then.
  useEffect(() => {
    if (!isConnected) return undefined;
    let isGone = false;
    void load(room).then(() => {
      if (!isGone) setLoading(false);
    });
    return () => {
      isGone = true;
    };
  }, [isConnected, load, room]);

  async function readAgain(): Promise<void> {
    setLoading(true);
    await load(room);
    setLoading(false);
    setStayed(schema);
  }

  return {
    schema,
    isLoading,
    isFresh: schema !== undefined && schema === stayed && schema.failure === undefined,
    readAgain: () => void readAgain(),
  };
}
