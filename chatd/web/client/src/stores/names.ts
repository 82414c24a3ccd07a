/** The names of users, as last heard. */
import type { Draft } from "./batch";

/** The most names that are kept; the one that was heard first goes first. */
export const NAMES_MAX = 5_000;

export function heardName(draft: Draft, userId: string, name: string | undefined): void {
  if (name === undefined || draft.state.names.get(userId) === name) return;
  const names = draft.map("names");
  names.delete(userId);
  names.set(userId, name);
  if (names.size <= NAMES_MAX) return;
  const oldest = names.keys().next().value;
  if (oldest !== undefined) names.delete(oldest);
}
