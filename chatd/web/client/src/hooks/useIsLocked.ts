import { useChatStore } from "./useChat";

/** Whether the database of a room can only be read, whatever a question allows. */
export function useIsLocked(room: string): boolean {
  return useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.database?.readOnly === true,
  );
}
