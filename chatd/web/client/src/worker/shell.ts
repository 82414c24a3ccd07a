/**
 * What a service worker keeps of the page: the files of one build, so that a reload while the server
 * is away shows the page, and nothing else.
 *
 * Files come into a cache when their build is installed, all or none, and never later. So no answer
 * of the API, no Socket.IO and no address with a query is ever kept, and neither is a token. A
 * build has a cache of its own: a page that is opened from it is whole. The cache of the previous
 * build stays, as a page of that build may still load a part of itself.
 */

/** A build: what distinguishes it from others, and its files, relative to the page. */
export interface Build {
  readonly id: string;
  readonly files: readonly string[];
}

/** What the shell uses of the browser: the globals of a worker. */
export interface Surroundings {
  readonly caches: Pick<CacheStorage, "open" | "keys" | "delete" | "match">;
  fetch(request: Request): Promise<Response>;
  /** Kept after so many ms. */
  wait(ms: number): Promise<undefined>;
}

/** How long a server has to begin its answer, if the cache has one. Unit: ms. */
const PATIENCE_MS = 4_000;
const PREFIX = "chatd";
/** Builds that are kept, the present one among them. */
const BUILDS_KEPT = 2;
const HASHED = "assets/";

export class Shell {
  readonly #build: Build;
  readonly #scope: URL;
  readonly #around: Surroundings;

  /** `scope` is the address of the page, with a slash at its end. */
  constructor(build: Build, scope: string, around: Surroundings) {
    this.#build = build;
    this.#scope = new URL(scope);
    this.#around = around;
  }

  /** Fetch every file of the build. Rejects if one does not come: the previous build stays. */
  async install(): Promise<void> {
    const cache = await this.#around.caches.open(this.#name);
    await Promise.all(
      this.#build.files.map(async (file) => {
        // An unhashed file that a browser still holds may be from the previous build.
        const cached = file.startsWith(HASHED) ? "default" : "no-cache";
        const request = new Request(new URL(file, this.#scope), { cache: cached });
        const response = await this.#around.fetch(request);
        if (!response.ok || response.redirected) throw new Error(`${file} is not there`);
        await cache.put(request.url, response);
      }),
    );
  }

  /** Forget builds that no open page can have any longer. */
  async activate(): Promise<void> {
    const ours = `${PREFIX}:${this.#scope.pathname}:`;
    const names = await this.#around.caches.keys();
    const others = names.filter((name) => name.startsWith(ours) && name !== this.#name);
    const old = others.slice(0, Math.max(0, others.length - (BUILDS_KEPT - 1)));
    await Promise.all(old.map((name) => this.#around.caches.delete(name)));
  }

  /** The answer to a request of the page; undefined for what only the server answers. */
  answer(request: Request): Promise<Response> | undefined {
    const url = new URL(request.url);
    if (request.method !== "GET" || url.origin !== this.#scope.origin) return undefined;
    if (request.mode === "navigate") {
      return url.pathname === this.#scope.pathname ? this.#page(request) : undefined;
    }
    const file = url.pathname.slice(this.#scope.pathname.length);
    const isBelow = url.pathname.startsWith(this.#scope.pathname) && url.search === "";
    if (!isBelow) return undefined;
    if (file.startsWith(HASHED)) return this.#hashed(request);
    return file !== "" && this.#build.files.includes(file) ? this.#plain(request) : undefined;
  }

  /** The server's page, which may be newer; this build's page if the server is away. */
  async #page(request: Request): Promise<Response> {
    return this.#fromServer(request, new URL("./", this.#scope).href);
  }

  /** A file whose content never changes: from any build that is kept. */
  async #hashed(request: Request): Promise<Response> {
    const kept = await this.#around.caches.match(request.url, { ignoreVary: true });
    return kept ?? this.#around.fetch(request);
  }

  async #plain(request: Request): Promise<Response> {
    return this.#fromServer(request, request.url);
  }

  /**
   * What the server says; what is kept if the server says nothing in time, or a proxy answers for
   * it.
   */
  async #fromServer(request: Request, key: string): Promise<Response> {
    const answering = this.#around.fetch(request);
    const inTime = await Promise.race([
      answering.catch(() => undefined),
      this.#around.wait(PATIENCE_MS),
    ]);
    if (inTime !== undefined && inTime.status < 500) return inTime;
    return (await this.#kept(key)) ?? answering;
  }

  async #kept(key: string): Promise<Response | undefined> {
    const cache = await this.#around.caches.open(this.#name);
    return cache.match(key, { ignoreVary: true });
  }

  get #name(): string {
    return `${PREFIX}:${this.#scope.pathname}:${this.#build.id}`;
  }
}
