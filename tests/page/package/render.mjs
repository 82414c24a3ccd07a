// Renders the chat on a server, as an application does before it sends a page; prints the markup.
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { ChatInterface } from "@chatd/react";

for (const name of ["window", "document", "location", "localStorage", "indexedDB"]) {
  Object.defineProperty(globalThis, name, {
    get() {
      throw new Error(`a server has no ${name}`);
    },
  });
}
process.stdout.write(
  renderToString(createElement(ChatInterface, { url: "https://chat.example", token: "t" })),
);
