/** What the banner says about each state of the connection. */
import { counted } from "../format";
import type { Connection, Pacing } from "../websocket/types";

export interface BannerWords {
  tone: "quiet" | "warn" | "bad";
  /** What changes rarely, and is read to people who cannot see it. */
  phase: string;
  /** What changes each second, and is only seen. */
  countdown?: string;
  canRetry: boolean;
}

/** A restart of the server takes less; nobody is told of a loss that is over sooner. */
export const QUIET_MS = 3_000;
/** The first connection is quicker than this; nobody is told of it. */
const FIRST_QUIET_MS = 1_000;

/**
 * The words for a connection, or undefined if there is nothing to say. `waiting` is how many
 * messages wait in this browser, `now` this browser's clock in ms.
 */
export function bannerWords(
  connection: Connection,
  waiting: number,
  now: number,
): BannerWords | undefined {
  const kept = waitingWords(waiting);
  switch (connection.phase) {
    case "connecting":
      if (now - (connection.since ?? now) < FIRST_QUIET_MS) return undefined;
      return { tone: "quiet", phase: "Connecting…", canRetry: false };
    case "offline":
      return {
        tone: "quiet",
        phase: `You are offline. What you write is kept and sent later.${kept}`,
        canRetry: false,
      };
    case "reconnecting":
      return reconnecting(connection, kept, now);
    case "connected":
      if (!connection.isLagging) return undefined;
      return {
        tone: "quiet",
        phase: "This connection is slow; who is typing is not shown.",
        canRetry: false,
      };
    default:
      return undefined;
  }
}

function reconnecting(connection: Connection, kept: string, now: number): BannerWords | undefined {
  // Far below 0 if the clock was set back meanwhile; a little below if `now` is a tick behind.
  const isShort = Math.abs(now - (connection.since ?? 0)) < QUIET_MS;
  if (connection.reason !== undefined && !isShort) {
    return {
      tone: "bad",
      phase: `${connection.reason}${kept}`,
      ...countdown(connection, now),
      canRetry: true,
    };
  }
  if (isShort) return undefined;
  return {
    tone: "warn",
    phase: `Connection lost.${kept}`,
    ...countdown(connection, now),
    canRetry: true,
  };
}

function countdown(connection: Connection, now: number): { countdown: string } {
  const left = Math.ceil(((connection.nextAt ?? 0) - now) / 1_000);
  return { countdown: left > 0 ? `Trying again in ${left} s.` : "Trying again…" };
}

function waitingWords(waiting: number): string {
  if (waiting === 0) return "";
  return ` ${counted(waiting, "message")} ${waiting === 1 ? "waits" : "wait"} here and will be sent.`;
}

/** The line above the composer while the server has told this browser to wait. */
export function pacingWords(
  pacing: Pacing | undefined,
  waiting: number,
  messagesPerMinute: number | undefined,
): string | undefined {
  if (pacing === undefined || waiting === 0) return undefined;
  if (pacing.code !== "rate_limited") {
    return `${pacing.reason} ${counted(waiting, "message")} ${waiting === 1 ? "waits" : "wait"} here.`;
  }
  const each = messagesPerMinute ? Math.max(1, Math.round(60 / messagesPerMinute)) : undefined;
  const pace =
    each === undefined ? "" : `; one goes every ${each} s (limit of ${messagesPerMinute} a minute)`;
  return `${counted(waiting, "message")} ${waiting === 1 ? "waits" : "wait"}${pace}.`;
}
