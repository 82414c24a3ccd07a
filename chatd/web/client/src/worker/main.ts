/** The service worker of the page, `sw.js`: the events of a browser, handed to the shell. */
import { Shell, type Build } from "./shell";

/** The build writes it in front of this file, since only the build knows all the files. */
declare const CHATD_BUILD: Build;

interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** The globals of a service worker, as far as they are used: the types for pages lack them. */
interface WorkerGlobals {
  readonly caches: CacheStorage;
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  fetch(request: Request): Promise<Response>;
  skipWaiting(): Promise<void>;
  addEventListener(name: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(name: "fetch", listener: (event: Fetching) => void): void;
}

const worker = globalThis as unknown as WorkerGlobals;
const shell = new Shell(CHATD_BUILD, worker.registration.scope, {
  caches: worker.caches,
  fetch: (request) => worker.fetch(request),
  wait: (ms) => new Promise((done) => void setTimeout(() => done(undefined), ms)),
});

// A new build takes over at once: its pages come from the server, the parts of older pages from the
// cache of their build.
worker.addEventListener("install", (event) => {
  event.waitUntil(shell.install().then(() => worker.skipWaiting()));
});
worker.addEventListener("activate", (event) => {
  event.waitUntil(shell.activate().then(() => worker.clients.claim()));
});
worker.addEventListener("fetch", (event) => {
  const answer = shell.answer(event.request);
  if (answer !== undefined) event.respondWith(answer);
});
