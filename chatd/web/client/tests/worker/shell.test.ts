// @vitest-environment node
import { beforeEach, describe, expect, it } from "vitest";
import { Shell, type Surroundings } from "../../src/worker/shell";

const SCOPE = "https://chat.example/chatd/";
const at = (path: string) => new URL(path, SCOPE).href;

/** Caches in memory, in the order in which they were opened, as browsers have them. */
class MemoryCaches {
  readonly kept = new Map<string, Map<string, Response>>();

  async open(name: string): Promise<Cache> {
    const files = this.kept.get(name) ?? new Map<string, Response>();
    this.kept.set(name, files);
    return {
      put: async (key: string, response: Response) => void files.set(key, response),
      match: async (key: string) => files.get(key)?.clone(),
    } as unknown as Cache;
  }

  async keys(): Promise<string[]> {
    return [...this.kept.keys()];
  }

  async delete(name: string): Promise<boolean> {
    return this.kept.delete(name);
  }

  async match(key: RequestInfo | URL): Promise<Response | undefined> {
    for (const files of this.kept.values()) {
      const found = files.get(String(key));
      if (found !== undefined) return found.clone();
    }
    return undefined;
  }
}

/** A server of files; `answer` says otherwise where it is set. */
class Server {
  readonly files = new Map<string, string>();
  readonly asked: Request[] = [];
  answer: ((request: Request) => Response | Promise<Response>) | undefined;

  async fetch(request: Request): Promise<Response> {
    this.asked.push(request);
    if (this.answer !== undefined) return this.answer(request);
    const text = this.files.get(request.url);
    return text === undefined ? new Response("", { status: 404 }) : new Response(text);
  }

  get paths(): string[] {
    return this.asked.map((request) => request.url);
  }
}

let caches: MemoryCaches;
let server: Server;
/** Whether the time for an answer never runs out. */
let isPatient: boolean;

function publish(build: string): void {
  server.files.set(at("./"), `page ${build}`);
  server.files.set(at(`assets/index-${build}.js`), `script ${build}`);
  server.files.set(at("icon.svg"), `icon ${build}`);
}

function shell(build: string): Shell {
  const around: Surroundings = {
    caches,
    fetch: (request) => server.fetch(request),
    wait: () => (isPatient ? new Promise(() => {}) : Promise.resolve(undefined)),
  };
  return new Shell(
    { id: build, files: ["./", `assets/index-${build}.js`, "icon.svg"] },
    SCOPE,
    around,
  );
}

async function installed(build: string): Promise<Shell> {
  publish(build);
  const made = shell(build);
  await made.install();
  await made.activate();
  server.asked.length = 0;
  return made;
}

/** A request as a browser makes it; only browsers themselves can make one that navigates. */
function asking(path: string, mode = "cors", method = "GET"): Request {
  const made = new Request(at(path), { method });
  Object.defineProperty(made, "mode", { value: mode });
  return made;
}

async function textOf(answer: Promise<Response> | undefined): Promise<string | undefined> {
  return (await answer)?.text();
}

function goesAway(): void {
  server.answer = () => {
    throw new TypeError("Failed to fetch");
  };
}

beforeEach(() => {
  caches = new MemoryCaches();
  server = new Server();
  isPatient = true;
});

describe("while the server is away", () => {
  it("shows the page of its build, whatever place in it is asked for", async () => {
    const one = await installed("one");
    goesAway();
    expect(await textOf(one.answer(asking("./?room=demo&at=3", "navigate")))).toBe("page one");
    expect(await textOf(one.answer(asking("assets/index-one.js")))).toBe("script one");
    expect(await textOf(one.answer(asking("icon.svg")))).toBe("icon one");
  });

  it("shows it also where a proxy answers for the server", async () => {
    const one = await installed("one");
    server.answer = () => new Response("Bad Gateway", { status: 502 });
    expect(await textOf(one.answer(asking("./", "navigate")))).toBe("page one");
  });

  it("shows it also where the server says nothing in time", async () => {
    const one = await installed("one");
    server.answer = () => new Promise(() => {});
    isPatient = false;
    expect(await textOf(one.answer(asking("./", "navigate")))).toBe("page one");
  });

  it("waits for a slow server where it keeps nothing", async () => {
    isPatient = false;
    server.answer = () =>
      new Promise((done) => void setTimeout(() => done(new Response("at last"))));
    expect(await textOf(shell("bare").answer(asking("./", "navigate")))).toBe("at last");
  });

  it("says that it failed where it keeps nothing", async () => {
    const bare = shell("bare");
    goesAway();
    await expect(bare.answer(asking("./", "navigate"))).rejects.toThrow("Failed to fetch");
    server.answer = () => new Response("Bad Gateway", { status: 502 });
    expect((await bare.answer(asking("./", "navigate")))?.status).toBe(502);
  });
});

describe("while the server is there", () => {
  it("shows the page of the server, and a refusal too", async () => {
    const one = await installed("one");
    publish("two");
    expect(await textOf(one.answer(asking("./", "navigate")))).toBe("page two");
    expect(await textOf(one.answer(asking("assets/index-two.js")))).toBe("script two");
    server.answer = () => new Response("off", { status: 404 });
    expect((await one.answer(asking("./", "navigate")))?.status).toBe(404);
  });

  it("does not ask for a part that it has", async () => {
    const one = await installed("one");
    await one.answer(asking("assets/index-one.js"));
    expect(server.paths).toEqual([]);
  });

  it.each([
    ["the API", "api/web/config", "cors", "GET"],
    ["health", "api/websocket/health", "cors", "GET"],
    ["Socket.IO", "socket.io/?EIO=4&transport=polling", "cors", "GET"],
    ["the client of Socket.IO", "socket.io/socket.io.js", "no-cors", "GET"],
    ["a download", "api/answers/1.csv?ticket=t", "navigate", "GET"],
    ["another page below", "other/", "navigate", "GET"],
    ["a page above", "../", "navigate", "GET"],
    ["a part with a query", "assets/index-one.js?v=1", "cors", "GET"],
    ["what is sent", "./", "navigate", "POST"],
    ["another server", "https://other.example/chatd/", "navigate", "GET"],
    ["the worker itself", "sw.js", "cors", "GET"],
    ["a file of no build", "robots.txt", "cors", "GET"],
  ])("leaves %s to the server", async (_what, path, mode, method) => {
    const one = await installed("one");
    expect(one.answer(asking(path, mode, method))).toBeUndefined();
  });

  it("keeps nothing but the files of the build, whatever is asked", async () => {
    const one = await installed("one");
    publish("two");
    await one.answer(asking("./?room=demo", "navigate"));
    await one.answer(asking("assets/index-two.js"));
    await one.answer(asking("icon.svg"));
    const kept = [...caches.kept.values()].flatMap((files) => Array.from(files.keys()));
    expect(kept.toSorted()).toEqual([at("./"), at("assets/index-one.js"), at("icon.svg")]);
  });
});

describe("a new build", () => {
  it("takes over whole, and the parts of the one before are still there for its pages", async () => {
    await installed("one");
    const two = await installed("two");
    goesAway();
    expect(await textOf(two.answer(asking("./", "navigate")))).toBe("page two");
    expect(await textOf(two.answer(asking("icon.svg")))).toBe("icon two");
    expect(await textOf(two.answer(asking("assets/index-one.js")))).toBe("script one");
  });

  it("makes the oldest go, and no cache of anybody else", async () => {
    await caches.open("chatd:/elsewhere/:one");
    await caches.open("theirs");
    for (const build of ["one", "two", "three"]) await installed(build);
    const names = ["/elsewhere/:one", "/chatd/:two", "/chatd/:three"].map(
      (name) => `chatd:${name}`,
    );
    expect((await caches.keys()).toSorted()).toEqual([...names, "theirs"].toSorted());
  });

  it("stays away where one of its files does not come", async () => {
    const one = await installed("one");
    publish("two");
    server.files.delete(at("assets/index-two.js"));
    await expect(shell("two").install()).rejects.toThrow("assets/index-two.js is not there");
    goesAway();
    expect(await textOf(one.answer(asking("./", "navigate")))).toBe("page one");
  });

  it("does not take a file that leads elsewhere, as to a sign-in", async () => {
    publish("one");
    server.answer = (asked) => {
      const response = new Response("sign in");
      Object.defineProperty(response, "redirected", { value: asked.url === at("./") });
      return response;
    };
    await expect(shell("one").install()).rejects.toThrow("./ is not there");
  });

  it("asks the server whether what a browser holds is of this build", async () => {
    publish("one");
    await shell("one").install();
    const cached = Object.fromEntries(server.asked.map((asked) => [asked.url, asked.cache]));
    expect(cached[at("./")]).toBe("no-cache");
    expect(cached[at("icon.svg")]).toBe("no-cache");
    expect(cached[at("assets/index-one.js")]).toBe("default");
  });
});
