/**
 * The tables of rooms' databases, read once in a while, and only once for all who want them at the
 * same time.
 */
import type { Core } from "./core";

/** How long a schema counts as fresh; the server keeps it as long. Unit: ms. */
export const FRESH_MS = 60_000;
/** The most schemas that are kept; each can be 256 kB. */
export const SCHEMAS_MAX = 20;

export class Schemas {
  #reading = new Map<string, Promise<void>>();

  constructor(private readonly core: Core) {}

  async load(room: string): Promise<void> {
    const { can, rooms, schemas } = this.core.get();
    const hasDatabase = rooms.some((it) => it.connectionId === room && it.database !== undefined);
    if (!can("schema") || !hasDatabase) return;
    const age = this.core.clock.now() - (schemas.get(room)?.readAt ?? -Infinity);
    if (age >= 0 && age < FRESH_MS) return;
    const reading = this.#reading.get(room) ?? this.#read(room);
    this.#reading.set(room, reading);
    await reading;
  }

  async #read(room: string): Promise<void> {
    const ack = await this.core.ask("schema:get", { connectionId: room });
    this.#reading.delete(room);
    this.core.batch.now((draft) => {
      const schemas = draft.map("schemas");
      if (ack.ok) {
        const { tables, truncated } = ack;
        schemas.delete(room);
        schemas.set(room, { tables, truncated, readAt: this.core.clock.now() });
        const [oldest] = schemas.keys();
        if (schemas.size > SCHEMAS_MAX && oldest !== undefined) schemas.delete(oldest);
        return;
      }
      // What was known remains useful; it is not fresh, so that the next request reads again.
      const { tables, truncated } = schemas.get(room) ?? { tables: [], truncated: false };
      schemas.set(room, { tables, truncated, readAt: 0, failure: ack.error.message });
    });
  }
}
