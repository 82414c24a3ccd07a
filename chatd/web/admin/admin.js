// Shows administrators how the daemon is. It reads only, and writes every text as text.
"use strict";

const KEY = "chatd.token"; // where the chat at / keeps its token, in this browser
const POLL_MS = 2_000;
const AGAIN_MS = 5_000; // after a refusal, or without an answer
const EVENTS_MAX = 200; // on the page; older ones go

const part = (id) => document.getElementById(id);
let token = linked() ?? stored();
let round = 0; // each sign-in begins a new one, and ends those before

function linked() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found !== null) history.replaceState(history.state, "", location.pathname + location.search);
  return found || undefined;
}

function stored() {
  try {
    return localStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function tell(text, isBad = false) {
  part("told").textContent = text;
  part("told").classList.toggle("is-bad", isBad);
}

function refused(sentence) {
  round += 1;
  tell(sentence, true);
  part("shown").hidden = true;
  part("sign-in").hidden = false;
}

const ask = (path, signal) =>
  fetch(path, { headers: { authorization: `Bearer ${token}` }, cache: "no-store", signal });

async function sentenceOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server answers with status ${response.status}.`;
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function poll(mine) {
  while (mine === round) {
    try {
      const response = await ask("api/admin/overview");
      if (mine !== round) return;
      if (response.status === 401 || response.status === 403) return refused(await sentenceOf(response));
      if (response.ok) {
        show(await response.json());
        tell(`As of ${new Date().toLocaleTimeString()}.`);
        await wait(POLL_MS);
        continue;
      }
      tell(await sentenceOf(response), true);
    } catch {
      tell("The server does not answer; trying again.", true);
    }
    await wait(AGAIN_MS);
  }
}

async function follow(mine) {
  while (mine === round) {
    try {
      const response = await ask("api/admin/events");
      if (response.ok) await readLines(response.body.getReader(), mine);
      else await wait(AGAIN_MS);
    } catch {
      await wait(AGAIN_MS);
    }
  }
}

async function readLines(reader, mine) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (mine !== round) return reader.cancel();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    lines.filter((line) => line !== "").forEach(showEvent);
  }
}

function show({ status, rooms, users }) {
  part("shown").hidden = false;
  part("sign-in").hidden = true;
  const figures = [
    ["State", status.status],
    ["Version", status.version],
    ["Up", span(status.uptimeS)],
    ["Users", status.users],
    ["Sockets", status.sockets],
    ["Rooms", status.rooms],
    ["Answers under way", status.answersUnderWay],
  ];
  part("status").replaceChildren(
    ...figures.map(([name, figure]) => box("div", box("dt", name), box("dd", String(figure)))),
  );
  part("reasons").replaceChildren(...status.reasons.map((reason) => box("li", reason.message)));
  fill(
    "rooms",
    rooms.rooms.map((room) => row(room.connectionId, room.present, room.members, room.lastSeq)),
    "There is no room.",
  );
  fill(
    "users",
    users.users.map((user) => {
      const from = [...new Set(user.sockets.map((socket) => socket.address))].join(", ");
      return row(user.userId, user.name ?? "", user.sockets.length, from, user.rooms.join(", "));
    }),
    "Nobody is connected.",
  );
  rest("rooms-rest", rooms.total - rooms.rooms.length);
  rest("users-rest", users.total - users.users.length);
}

function fill(id, rows, nothing) {
  if (rows.length > 0) return part(id).replaceChildren(...rows);
  const cell = box("td", nothing);
  cell.colSpan = 9;
  cell.className = "is-nothing";
  part(id).replaceChildren(box("tr", cell));
}

function noEvent() {
  const item = box("li", "What the log says from now on is shown here.");
  item.className = "is-nothing";
  return item;
}

function showEvent(line) {
  const { timestamp, level, event, ...fields } = JSON.parse(line);
  const told = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const item = box("li", [timestamp, event, ...told].join(" "));
  item.className = `is-${level}`;
  part("events").querySelector(".is-nothing")?.remove();
  part("events").prepend(item);
  while (part("events").childElementCount > EVENTS_MAX) part("events").lastElementChild.remove();
}

function rest(id, count) {
  part(id).hidden = count <= 0;
  part(id).textContent = `… and ${count} more.`;
}

function row(...cells) {
  return box("tr", ...cells.map((cell) => box("td", String(cell))));
}

function box(name, ...inside) {
  const element = document.createElement(name);
  element.append(...inside); // texts become text nodes
  return element;
}

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function begin() {
  round += 1;
  part("events").replaceChildren(noEvent());
  void poll(round);
  void follow(round);
}

part("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  token = part("token").value.trim();
  part("token").value = "";
  begin();
});

if (token === undefined) refused("Sign in with the token of an administrator.");
else begin();
