import { act, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useWebSocket } from "../../src/hooks/useWebSocket";

const made = vi.hoisted(() => [] as { start: () => void; stop: () => void; log: string[] }[]);
vi.mock("../../src/stores/createChat", () => ({
  createChat: () => {
    const log: string[] = [];
    const chat = { log, start: () => log.push("start"), stop: () => log.push("stop") };
    made.push(chat as never);
    return chat;
  },
}));

beforeEach(() => {
  made.length = 0;
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
});
afterEach(() => document.body.replaceChildren());

function Host() {
  useWebSocket({ getToken: () => undefined });
  return <p>here</p>;
}

test("in strict mode one chat is started, stopped and started, and stopped at the end", () => {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  act(() =>
    root.render(
      <StrictMode>
        <Host />
      </StrictMode>,
    ),
  );
  const used = made.filter((chat) => chat.log.length > 0);
  expect(used.map((chat) => chat.log)).toEqual([["start", "stop", "start"]]);
  act(() => root.unmount());
  expect(used[0]?.log).toEqual(["start", "stop", "start", "stop"]);
});

test("rendered on a server it starts nothing", () => {
  expect(renderToString(<Host />)).toContain("here");
  expect(made.flatMap((chat) => chat.log)).toEqual([]);
});
