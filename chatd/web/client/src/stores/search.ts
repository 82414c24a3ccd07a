/** A search, page by page. Of several searches the last one counts. */
import { ANSWER_ROWS, type Core } from "./core";

/** Hits of a page. */
const HITS = 20;
/** The most hits that are held. */
const HITS_MAX = 500;

export class Searching {
  #serial = 0;

  constructor(private readonly core: Core) {}

  async run(query: string, options: { room?: string; more?: boolean } = {}): Promise<void> {
    const { room, more = false } = options;
    const before = this.core.get().search;
    if (more && (before?.cursor === undefined || before.isLoading)) return;
    const serial = ++this.#serial;
    const asked = more && before !== undefined ? before.query : query;
    const where = more && before !== undefined ? before.connectionId : room;
    const held = more && before !== undefined ? before.hits : [];
    const base = {
      query: asked,
      hits: held,
      incomplete: false,
      ...(where === undefined ? {} : { connectionId: where }),
    };
    this.core.batch.now((draft) => draft.set({ search: { ...base, isLoading: true } }));
    const ack = await this.core.ask("chat:search", {
      query: asked,
      limit: HITS,
      answerRows: ANSWER_ROWS,
      ...(where === undefined ? {} : { connectionId: where }),
      ...(more && before?.cursor !== undefined ? { cursor: before.cursor } : {}),
    });
    if (serial !== this.#serial) return;
    this.core.batch.now((draft) => {
      if (!ack.ok) {
        draft.set({ search: { ...base, isLoading: false, failure: ack.error.message } });
        return;
      }
      const hits = [...held, ...ack.hits].slice(0, HITS_MAX);
      const hasNext = ack.cursor !== undefined && hits.length < HITS_MAX;
      draft.set({
        search: {
          ...base,
          hits,
          isLoading: false,
          incomplete: ack.incomplete === true,
          ...(hasNext ? { cursor: ack.cursor! } : {}),
        },
      });
    });
  }

  close(): void {
    this.#serial += 1;
    if (this.core.get().search === undefined) return;
    this.core.batch.now((draft) => draft.set({ search: undefined }));
  }
}
