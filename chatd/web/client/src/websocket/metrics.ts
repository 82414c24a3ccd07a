/** What the connection panel shows: events and figures, without content and without tokens. */

export interface LoggedEvent {
  /** Unit: ms since 1970. */
  at: number;
  event: string;
  fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

export interface Figures {
  sent: number;
  received: number;
  duplicates: number;
  reconnects: number;
  gapsFilled: number;
  refused: number;
  /** From send to `sent`. Unit: ms. */
  sendP50: number | undefined;
  sendP95: number | undefined;
  /** Over the last minute. */
  receivedPerSecond: number;
}

export interface EventLog {
  readonly events: readonly LoggedEvent[];
  figures(): Figures;
  subscribe(changed: () => void): () => void;
}
