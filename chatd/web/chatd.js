// Puts the token of the link's fragment into the snippet. A fragment is never sent to a server.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  const snippet = document.getElementById("snippet");
  snippet.textContent = snippet.textContent.replace('"…"', () => JSON.stringify(token));
  document.getElementById("token-note").textContent =
    "The snippet holds the token of this link. It works for a short time, as you: keep it to yourself.";
}
