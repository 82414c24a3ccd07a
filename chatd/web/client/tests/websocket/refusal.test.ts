import { expect, test } from "vitest";
import { ADDRESS_REFUSED, SERVER_BUSY, whyRefused } from "../../src/websocket/refusal";

const answering = (health: Response | Error, poll: Response | Error): typeof fetch =>
  ((url: string) => {
    const answer = url.endsWith("api/websocket/health") ? health : poll;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }) as typeof fetch;

const GONE = new TypeError("Failed to fetch");
const OK = () => Response.json({ status: "ok" });

test("a server that turns this address away says so in its own words", async () => {
  const body = { code: 4, message: "Forbidden: Host chat.example.org is not known here." };
  const why = await whyRefused("http://x/", answering(OK(), Response.json(body, { status: 403 })));
  expect(why).toEqual({
    code: ADDRESS_REFUSED,
    reason:
      "The server runs, but does not accept this address: Host chat.example.org is not known here.",
  });
});

test("a proxy that turns it away has no sentence, and its number is told", async () => {
  const page = new Response("<h1>403</h1>", { status: 403 });
  const why = await whyRefused("http://x/", answering(OK(), page));
  expect(why?.reason).toContain("it answers 403.");
});

test.each([
  ["nobody answers", GONE, GONE, undefined],
  ["the poll gets through", OK(), new Response("0{}"), undefined],
  ["the server restarts", Response.json({}, { status: 503 }), GONE, SERVER_BUSY],
  ["the server is full", OK(), new Response("", { status: 503 }), SERVER_BUSY],
])("where %s it says so, or nothing", async (_case, health, poll, code) => {
  expect((await whyRefused("http://x/", answering(health, poll)))?.code).toBe(code);
});
