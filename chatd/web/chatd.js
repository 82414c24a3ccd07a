// Puts this server's address, the path at which a proxy has it, and the token of the link's fragment
// into the snippet. A fragment is never sent to a server.
const snippet = document.getElementById("snippet");
snippet.textContent = snippet.textContent.replace("http://127.0.0.1:8765", () => location.origin);
if (location.pathname !== "/") {
  const path = JSON.stringify(new URL("socket.io/", location).pathname);
  snippet.textContent = snippet.textContent.replace("{ auth", () => `{ path: ${path}, auth`);
}
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// Links come from anybody: what is no token by its characters is not put into code to be copied.
if (token && /^[\w.-]+$/.test(token)) {
  snippet.textContent = snippet.textContent.replace('"…"', () => JSON.stringify(token));
  document.getElementById("token-note").textContent =
    `The snippet holds the token of this link${told(claimsOf(token))} Keep it to yourself.`;
}

// What a token says of itself; whether that is true, the server judges.
function claimsOf(text) {
  try {
    const segment = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(segment), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
}

function told({ sub, exp }) {
  const isShown = typeof sub === "string" && /^[\x20-\x7e]+$/.test(sub);
  const user = isShown ? `, for the user “${sub}”` : "";
  const end = new Date(exp * 1000);
  if (typeof exp !== "number" || Number.isNaN(end.getTime())) return `${user}.`;
  const verb = end > new Date() ? "It is good until" : "It has expired:";
  return `${user}. ${verb} ${end.toLocaleString()}.`;
}
