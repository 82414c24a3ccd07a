/**
 * One connection that comes back by itself. socket.io's own loop does not tell when it tries next,
 * cannot be told to try now, and gives up after a refused CONNECT; so the loop is here.
 *
 * ```
 * idle ─start► connecting ─status► connected ─lost► reconnecting ⇄ offline
 *                   └────failed────────────────────────┘ │ ▲ after a while, or at once by a sign
 * any ─a code of the token► signedOut ─retryNow► connecting   any ─stop► idle
 * ```
 */
import { delayMs } from "./backoff";
import type { Clock } from "./clock";
import type { Metrics } from "./metrics";
import { whyRefused } from "./refusal";
import type { NetworkSigns } from "./signs";
import type { Connection, Phase } from "./types";
import type { ConnectFailure, OpenWire, Wire } from "./wire";
import type { ConnectAuth } from "./wire.gen";

/** A connection that lasts this long is a good one: after its loss, waits are short again. */
export const STEADY_MS = 5_000;
/** How long a try may take until the server's first event. */
const WELCOME_MS = 15_000;
/** How long a token may take, for which the user may have to sign in again. Unit: ms. */
const TOKEN_MS = 60_000;
/** A connection is made anew at most this long after the rooms of the user have changed. */
const RENEW_MS = 2_000;
/**
 * From this failed try on, and at once where the user asks for a try, the page asks the server by
 * plain HTTP what is wrong. After each one: the next try may be half a minute away.
 */
const ASK_WHY_FROM = 3;

/** Whether a code says that this token no longer opens anything. */
export function isSignedOutCode(code: string | undefined): boolean {
  return (
    code === "unauthorized" ||
    code === "token_expired" ||
    code === "token_invalid" ||
    code === "token_revoked"
  );
}

export interface Why {
  code?: string;
  reason?: string;
}

export interface ConnectorParts {
  url(): string;
  openWire: OpenWire;
  clock: Clock;
  random(): number;
  signs: NetworkSigns;
  fetcher: typeof fetch;
  metrics: Metrics;
  /** The present token; undefined for none. */
  token(): Promise<string | undefined>;
  auth(token: string, attempt: number): ConnectAuth;
  changed(connection: Connection): void;
  event(name: string, payload: unknown): void;
  signedOut(why: Why): void;
}

export class Connector {
  #wire: Wire | undefined;
  #connection: Connection = { phase: "idle", attempt: 0 };
  /** Changes with each start, stop and try: what began under another number is ignored. */
  #turn = 0;
  #isRunning = false;
  #isTrying = false;
  #attempt = 0;
  #failures = 0;
  #since: number | undefined;
  #why: (Why & { isAsked: boolean }) | undefined;
  #token: string | undefined;
  #hasAskedAnew = false;
  #toldMs: number | undefined;
  /** Before this, no sign from the browser starts a try. */
  #notBefore = 0;
  #stopTimer = () => {};
  #stopWelcome = () => {};
  #stopSteady = () => {};
  #stopRenewal = () => {};
  #stopSigns = () => {};

  constructor(private readonly parts: ConnectorParts) {}

  /** The wire, while the server has let us in. */
  get open(): Wire | undefined {
    return this.#connection.phase === "connected" && this.#wire?.isConnected === true
      ? this.#wire
      : undefined;
  }

  /** The token that the connection was made with. */
  get token(): string | undefined {
    return this.#token;
  }

  set token(token: string) {
    this.#token = token;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#attempt = 0;
    this.#failures = 0;
    this.#why = undefined;
    this.#hasAskedAnew = false;
    this.#notBefore = 0;
    this.#since = this.parts.clock.now();
    this.#stopSigns = this.parts.signs.subscribe({
      woke: () => this.#woke(),
      wentOffline: () => this.#wentOffline(),
    });
    this.#tell("connecting");
    void this.#try();
  }

  stop(): void {
    if (!this.#isRunning && this.#connection.phase === "idle") return;
    this.#end();
    this.#tell("idle");
  }

  /**
   * The user wants a try now, whatever the server said to wait. An open connection is made anew.
   */
  retryNow(): void {
    if (this.#connection.phase === "signedOut") this.start();
    else if (this.#isRunning && !this.#isTrying) {
      this.#renew();
      this.#failures = Math.max(this.#failures, ASK_WHY_FROM - 1);
      void this.#try();
    }
  }

  /**
   * The rooms of the user have changed, and the server says which they are only to a new
   * connection. All whom that concerns hear of it at once; they do not come back all at once. Several
   * changes make one connection.
   */
  renewSoon(): void {
    this.#stopRenewal();
    this.#stopRenewal = this.parts.clock.after(RENEW_MS * this.parts.random(), () => this.#renew());
  }

  #renew(): void {
    if (this.open === undefined) return;
    this.#wire?.disconnect();
    this.#lost("renewed");
  }

  async #try(): Promise<void> {
    this.#stopTimer();
    const turn = ++this.#turn;
    this.#isTrying = true;
    if (this.#attempt > 0) this.#tell(this.#lostPhase());
    this.#startWelcome(TOKEN_MS);
    let token: string | undefined;
    try {
      token = await this.parts.token();
    } catch {
      if (turn !== this.#turn) return;
      this.#failed({ message: "No token could be had.", code: "no_token" });
      return;
    }
    if (turn !== this.#turn) return;
    if (token === undefined) {
      this.#signOut({}, false);
      return;
    }
    this.#token = token;
    this.#wire ??= this.parts.openWire(this.parts.url(), {
      failed: (failure) => this.#failed(failure),
      lost: (reason) => this.#lost(reason),
      event: (name, payload) => this.#event(name, payload),
    });
    this.#startWelcome(WELCOME_MS);
    this.#wire.connect(this.parts.auth(token, this.#attempt));
  }

  /** Give a try up that takes too long, also one whose token does not come. */
  #startWelcome(ms: number): void {
    this.#stopWelcome();
    this.#stopWelcome = this.parts.clock.after(ms, () => {
      this.#wire?.disconnect();
      this.#failed({ message: "The server did not answer." });
    });
  }

  #event(name: string, payload: unknown): void {
    if (!this.#isRunning) return;
    this.parts.metrics.heard();
    if (name === "connection:status") this.#status(payload);
    else if (name === "server:draining") this.#drains(numberIn(payload, "reconnectAfterMs"));
    else if (name === "presence:snapshot" && this.#connection.isLagging === true) {
      const { isLagging: _caughtUp, ...rest } = this.#connection;
      this.#show(rest);
    }
    this.parts.event(name, payload);
    if (name === "connection:status" && statusIn(payload) === "connected") this.#welcomed();
  }

  #status(payload: unknown): void {
    const status = statusIn(payload);
    if (status === "draining") this.#drains(numberIn(payload, "retryAfterMs"));
    else if (status === "lagging") this.#show({ ...this.#connection, isLagging: true });
    else if (status === "closing") this.#closing(codeIn(payload) ?? "token_expired");
  }

  /** The server closes the connection; signing in again helps only if the token is at fault. */
  #closing(code: string): void {
    if (isSignedOutCode(code)) void this.#refused({ code });
    else this.parts.metrics.note("closing", { code });
  }

  #welcomed(): void {
    this.#stopWelcome();
    this.#isTrying = false;
    if (this.#attempt > 0) this.parts.metrics.count("reconnects");
    this.parts.metrics.note("connected", { attempt: this.#attempt });
    this.#why = undefined;
    this.#since = undefined;
    this.#toldMs = undefined;
    this.#notBefore = 0;
    this.#hasAskedAnew = false;
    this.#show({ phase: "connected", attempt: 0 });
    this.#stopSteady();
    this.#stopSteady = this.parts.clock.after(STEADY_MS, () => {
      this.#attempt = 0;
      this.#failures = 0;
    });
  }

  #drains(afterMs: number | undefined): void {
    this.#toldMs = afterMs ?? this.#toldMs;
    this.parts.metrics.note("draining", { afterMs });
    this.#show({ ...this.#connection, isDraining: true });
  }

  #lost(reason: string): void {
    if (!this.#isRunning) return;
    if (this.#isTrying) {
      this.#failed({ message: reason }); // lost before the server has let us in
      return;
    }
    this.parts.metrics.note("lost", { reason });
    this.#stopWelcome();
    this.#stopSteady();
    this.#later(this.#toldMs);
    this.#toldMs = undefined;
  }

  #failed(failure: ConnectFailure): void {
    if (!this.#isRunning) return;
    const { code, message, retryAfterMs } = failure;
    this.parts.metrics.note("connect_failed", { code, message, attempt: this.#attempt });
    this.#stopWelcome();
    if (isSignedOutCode(code)) {
      void this.#refused({ code, reason: message });
      return;
    }
    this.#failures += 1;
    if (code !== undefined) this.#why = { code, reason: message, isAsked: false };
    else if (this.#why?.isAsked === false) this.#why = undefined;
    this.#later(retryAfterMs);
    if (code === undefined && this.#failures >= ASK_WHY_FROM) void this.#askWhy();
  }

  async #askWhy(): Promise<void> {
    const failures = this.#failures;
    const found = await whyRefused(this.parts.url(), this.parts.fetcher);
    if (!this.#isRunning || this.open !== undefined || failures !== this.#failures) return;
    this.#why = found === undefined ? undefined : { ...found, isAsked: true };
    const { code: _code, reason: _reason, ...rest } = this.#connection;
    this.#show({ ...rest, ...this.#words() });
  }

  /** The token was refused. `token` may give a newer one; it is asked once. */
  async #refused(why: { code: string | undefined; reason?: string }): Promise<void> {
    const turn = ++this.#turn;
    this.#isTrying = true;
    this.#startWelcome(TOKEN_MS);
    this.#wire?.disconnect();
    const refused = this.#token;
    const fresh = this.#hasAskedAnew ? undefined : await this.parts.token().catch(() => undefined);
    if (turn !== this.#turn) return;
    this.#hasAskedAnew = true;
    if (fresh !== undefined && fresh !== refused) {
      this.#since ??= this.parts.clock.now();
      this.#attempt += 1;
      void this.#try();
      return;
    }
    this.#signOut(
      why.reason === undefined ? { code: why.code! } : { code: why.code!, reason: why.reason },
      true,
    );
  }

  #signOut(why: Why, isRefused: boolean): void {
    this.#end();
    this.parts.metrics.note("signed_out", { code: why.code });
    this.#show({ phase: "signedOut", attempt: 0, ...why });
    if (isRefused) this.parts.signedOut(why);
  }

  #later(toldMs: number | undefined): void {
    this.#stopTimer();
    this.#turn += 1;
    this.#isTrying = false;
    this.#since ??= this.parts.clock.now();
    this.#attempt += 1;
    this.#notBefore = this.parts.clock.passed() + (toldMs ?? 0);
    const ms = delayMs(this.#attempt, this.parts.random(), toldMs);
    this.#tell(this.#lostPhase(), this.parts.clock.now() + ms);
    this.#stopTimer = this.parts.clock.after(ms, () => void this.#try());
  }

  #woke(): void {
    const isIdle = this.#isRunning && !this.#isTrying && this.open === undefined;
    if (!isIdle || this.parts.clock.passed() < this.#notBefore) return;
    void this.#try();
  }

  #wentOffline(): void {
    if (this.#connection.phase !== "reconnecting") return;
    this.#show({ ...this.#connection, phase: "offline" });
  }

  #lostPhase(): Phase {
    return this.parts.signs.isOnline() ? "reconnecting" : "offline";
  }

  #end(): void {
    this.#turn += 1;
    this.#isRunning = false;
    this.#isTrying = false;
    this.#stopTimer();
    this.#stopWelcome();
    this.#stopSteady();
    this.#stopRenewal();
    this.#stopSigns();
    this.#wire?.disconnect();
  }

  #words(): Why {
    const { code, reason } = this.#why ?? {};
    return {
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  #tell(phase: Phase, nextAt?: number): void {
    const isAway = phase === "reconnecting" || phase === "offline" || phase === "connecting";
    this.#show({
      phase,
      attempt: this.#attempt,
      ...(nextAt === undefined ? {} : { nextAt }),
      ...(isAway && this.#since !== undefined ? { since: this.#since } : {}),
      ...(isAway && this.#connection.isDraining === true ? { isDraining: true } : {}),
      ...(isAway ? this.#words() : {}),
    });
  }

  #show(connection: Connection): void {
    this.#connection = connection;
    this.parts.changed(connection);
  }
}

function fieldIn(payload: unknown, name: string): unknown {
  return typeof payload === "object" && payload !== null && Object.hasOwn(payload, name)
    ? (payload as Record<string, unknown>)[name]
    : undefined;
}

function statusIn(payload: unknown): unknown {
  return fieldIn(payload, "status");
}

function codeIn(payload: unknown): string | undefined {
  const code = fieldIn(payload, "code");
  return typeof code === "string" ? code : undefined;
}

function numberIn(payload: unknown, name: string): number | undefined {
  const value = fieldIn(payload, name);
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
