// Puts this server's address, and the token of the link's fragment, into the snippet. A fragment is
// never sent to a server.
const snippet = document.getElementById("snippet");
snippet.textContent = snippet.textContent.replace("http://127.0.0.1:8765", () => location.origin);
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  snippet.textContent = snippet.textContent.replace('"…"', () => JSON.stringify(token));
  document.getElementById("token-note").textContent =
    "The snippet holds the token of this link, for the user “guest”. It is good for an hour: keep it to yourself.";
}
