/**
 * The parts that are not in the first file. Two files have them: one is read at once, while the
 * connection is made that brings its content; the other when the browser has nothing else to do, so
 * that its parts are there even when the server is away.
 */
import { part, PartFile } from "./PartFile";

const roomParts = new PartFile(() => import("./roomParts"));
const laterParts = new PartFile(() => import("./laterParts"));

export const MessageList = part(
  roomParts,
  (parts) => parts.MessageList,
  <p className="message-waiting soft">Reading the messages…</p>,
);

export const ExpiringNotice = part(laterParts, (parts) => parts.ExpiringNotice);
export const KeysDialog = part(laterParts, (parts) => parts.KeysDialog);
export const RoomsDialog = part(laterParts, (parts) => parts.RoomsDialog);
export const SidePanel = part(laterParts, (parts) => parts.SidePanel);
export const SwitchDialog = part(laterParts, (parts) => parts.SwitchDialog);

/** Begin to read what shows a room. */
export function beginRoom(): void {
  void roomParts.load();
}

/** Have all parts at hand. */
export async function loadParts(): Promise<void> {
  await roomParts.load();
  await laterParts.load();
}
