/** The page at `/`. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { beginRoom } from "./components/LazyParts";
import { App } from "./page/App";
import { decideOnLink, Session, takeTokenOfLink } from "./page/session";
import { registerServiceWorker } from "./serviceWorker";
import "./style.css";
import "./page/page.css";

// Before the first render: neither the address bar nor the history shows the token.
const session = new Session();
const link = takeTokenOfLink();
if (link !== undefined && decideOnLink(link, session.token(), Date.now()) === "use") {
  session.takeLink(link);
}

// It loads while the frame is drawn.
if (session.token() !== undefined) beginRoom();

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element to stand in.");
createRoot(root).render(
  <StrictMode>
    <App session={session} link={link} />
  </StrictMode>,
);
registerServiceWorker();
