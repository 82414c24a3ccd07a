/**
 * Why a server cannot be reached, asked by plain HTTP. A browser does not tell a page why a socket
 * failed; a server that runs and turns this address away says so in the body of a poll.
 */

export interface Refusal {
  code: string;
  reason: string;
}

/** The code of a server that runs, but does not accept the address it was called by. */
export const ADDRESS_REFUSED = "address_refused";
/** The code of a server that answers, but lets nobody in at the moment. */
export const SERVER_BUSY = "server_busy";

const HEALTH_PATH = "api/websocket/health";
const POLL_PATH = "socket.io/?EIO=4&transport=polling";
const WAIT_MS = 5_000;
/** How much of a sentence is shown. Unit: UTF-16 code units. */
const TEXT_MAX = 500;

/** Undefined if the server does not answer, or gives no reason. Never rejects. */
export async function whyRefused(url: string, fetcher: typeof fetch): Promise<Refusal | undefined> {
  try {
    const health = await fetcher(url + HEALTH_PATH, request());
    if (textIn(await health.text(), "status") === "draining") {
      return { code: SERVER_BUSY, reason: "The server is restarting." };
    }
    const poll = await fetcher(url + POLL_PATH, request());
    if (poll.ok) return undefined;
    const sentence = textIn(await poll.text(), "message")?.replace(/^Forbidden: /, "");
    if (poll.status === 503) {
      return { code: SERVER_BUSY, reason: sentence ?? "The server lets nobody in now." };
    }
    return {
      code: ADDRESS_REFUSED,
      reason: `The server runs, but does not accept this address: ${sentence ?? `it answers ${poll.status}.`}`,
    };
  } catch {
    return undefined;
  }
}

function request(): RequestInit {
  return { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(WAIT_MS) };
}

/** A text field of a body, if that is a JSON object. */
function textIn(body: string, name: string): string | undefined {
  try {
    const told: unknown = JSON.parse(body);
    if (typeof told !== "object" || told === null || !Object.hasOwn(told, name)) return undefined;
    const value = (told as Record<string, unknown>)[name];
    return typeof value === "string" ? value.slice(0, TEXT_MAX) : undefined;
  } catch {
    return undefined;
  }
}
