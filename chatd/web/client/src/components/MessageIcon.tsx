/** The small pictures of messages; they are loaded with the messages, and not with the frame. */
import { Drawing } from "./Icon";

const PATHS = {
  waiting: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM8 4.5V8l2.5 1.5",
  sending: "M8 13V3M4 7l4-4 4 4",
  sent: "M3 8.5l3.5 3.5L13 4.5",
  delivered: "M1 8.5L4 12l6-7.5M7 11l1 1 7-7.5",
  failed: "M8 1.5l6.8 12.5H1.2zM8 6v3.5M8 11.8v.1",
  react:
    "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM5.5 6.5v.1M10.5 6.5v.1M5 9.5c1.5 2.4 4.5 2.4 6 0",
  reply: "M2.5 3h11v8H8l-3 2.8V11H2.5z",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  link: "M6.5 9.5l3-3M7 4.8l1.7-1.7a2.8 2.8 0 0 1 4.2 4.2L11.2 9M9 11.2l-1.7 1.7a2.8 2.8 0 0 1-4.2-4.2L4.8 7",
  edit: "M2.5 13.5l.8-3.3 7.6-7.6 2.5 2.5-7.6 7.6z",
  delete: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9",
  database:
    "M8 6.2c3 0 5-.9 5-2.1S11 2 8 2 3 2.9 3 4.1s2 2.1 5 2.1zM3 4.1v7.8C3 13.1 5 14 8 14s5-.9 5-2.1V4.1M3 8c0 1.2 2 2.1 5 2.1s5-.9 5-2.1",
  down: "M8 3v9M4 8.5l4 4 4-4",
  done: "M3 8.5l3.5 3.5L13 4.5",
} as const;

export type MessageIconName = keyof typeof PATHS;

export function MessageIcon({ name }: { name: MessageIconName }) {
  return <Drawing path={PATHS[name]} />;
}
