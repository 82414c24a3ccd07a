import { describe, expect, test } from "vitest";
import { bannerWords, pacingWords } from "../../src/components/bannerWords";
import type { Connection } from "../../src/websocket/types";

const NOW = 1_000_000;

function lost(over: Partial<Connection> = {}): Connection {
  return { phase: "reconnecting", attempt: 1, since: NOW - 5_000, nextAt: NOW + 3_400, ...over };
}

describe("the banner", () => {
  test("says nothing while there is a connection", () => {
    expect(bannerWords({ phase: "connected", attempt: 0 }, 3, NOW)).toBeUndefined();
  });

  test("says nothing of a loss that a restart of the server explains", () => {
    expect(bannerWords(lost({ since: NOW - 2_000 }), 1, NOW)).toBeUndefined();
  });

  test("says nothing of it either where the time shown is a tick behind", () => {
    expect(bannerWords(lost({ since: NOW + 250 }), 1, NOW)).toBeUndefined();
  });

  test("tells a loss, though the clock was set back meanwhile", () => {
    expect(bannerWords(lost({ since: NOW + 3_600_000 }), 0, NOW)?.phase).toBe("Connection lost.");
  });

  test("counts down to the next try, and says what waits", () => {
    expect(bannerWords(lost(), 2, NOW)).toEqual({
      tone: "warn",
      phase: "Connection lost. 2 messages wait here and will be sent.",
      countdown: "Trying again in 4 s.",
      canRetry: true,
    });
  });

  test("says of one message that it waits", () => {
    expect(bannerWords(lost(), 1, NOW)?.phase).toContain("1 message waits here");
  });

  test("says why the server refuses this address", () => {
    const reason = "The server runs, but does not accept this address: chat.example is not known.";
    const words = bannerWords(lost({ reason }), 0, NOW);
    expect(words).toMatchObject({ tone: "bad", phase: reason, canRetry: true });
  });

  test("says that a try is under way once its time has come", () => {
    expect(bannerWords(lost({ nextAt: NOW - 1 }), 0, NOW)?.countdown).toBe("Trying again…");
  });

  test("says after a second that the first connection takes long", () => {
    const connecting: Connection = { phase: "connecting", attempt: 0, since: NOW - 999 };
    expect(bannerWords(connecting, 0, NOW)).toBeUndefined();
    expect(bannerWords(connecting, 0, NOW + 1)?.phase).toBe("Connecting…");
  });

  test("says offline that what is written is kept", () => {
    expect(bannerWords({ phase: "offline", attempt: 1 }, 0, NOW)?.phase).toBe(
      "You are offline. What you write is kept and sent later.",
    );
  });
});

describe("the line of pacing", () => {
  const limited = { until: NOW + 1_000, code: "rate_limited", reason: "Too many." };

  test("says how fast messages go out", () => {
    expect(pacingWords(limited, 14, 30)).toBe(
      "14 messages wait; one goes every 2 s (limit of 30 a minute).",
    );
  });

  test("says the server's sentence where it is another reason", () => {
    const full = { ...limited, code: "storage_full", reason: "The server's disk is full." };
    expect(pacingWords(full, 1, 30)).toBe("The server's disk is full. 1 message waits here.");
  });

  test("says nothing once nothing waits", () => {
    expect(pacingWords(limited, 0, 30)).toBeUndefined();
  });
});
