/** Puts a chat together: its connection, its outbox, its rooms, and the state that shows them. */
import { createStore } from "zustand/vanilla";
import { Connector } from "../websocket/connection";
import { Database } from "../websocket/database";
import { Gate } from "../websocket/gate";
import { createTurns } from "../websocket/lease";
import { Metrics } from "../websocket/metrics";
import { OutboxUnwritable, outboxOwner } from "../websocket/outbox";
import { ownedPrefix } from "../websocket/storage";
import { subjectOf } from "../websocket/token";
import type { Connection, PresenceStatus } from "../websocket/types";
import { serverUrl } from "../websocket/url";
import type { ConnectAuth, StatusConnected } from "../websocket/wire.gen";
import { RunningAnswers } from "./answers";
import { Batch, type Draft } from "./batch";
import type { Chat, ChatOptions } from "./chat";
import { ANSWER_ROWS, askOver, type Core } from "./core";
import { createActions } from "./actions";
import { createIncoming } from "./incoming";
import { initialFacts, nobodysFacts } from "./initial";
import { HeldRows } from "./messages";
import { Presences } from "./presence";
import { LocalMarkers, Told } from "./reads";
import { Receipts } from "./receipts";
import { forget, recall, remember } from "./remembered";
import { isPlace, notForUser, Rooms } from "./rooms";
import { Schemas } from "./schemas";
import { Searching } from "./search";
import { Sending } from "./sending";
import { noticesWhile, withNotice } from "./notices";
import type { ChatState, Notice, SendOptions } from "./state";
import { browserSurroundings, type Surroundings } from "./surroundings";
import { Threads } from "./threads";
import { Typing } from "./typing";
import { createUi } from "./ui";

/** What belongs to the user of the token. */
interface Session {
  userId: string;
  prefix: string;
  sending: Sending;
  markers: LocalMarkers;
}

/**
 * A chat. Nothing happens before `start`: it can be made while a page is rendered, also on a server.
 */
export function createChat(options: ChatOptions, given: Partial<Surroundings> = {}): Chat {
  const around: Surroundings = { ...browserSurroundings(), ...given };
  const { clock, storage } = around;
  const url = () => serverUrl(options.url);
  const metrics = new Metrics(clock);
  const ui = createUi();
  const database = new Database(clock);
  const turns = createTurns({ clock, random: around.random, database, locks: around.locks });
  const rows = new HeldRows();
  const presences = new Presences();
  let session: Session | undefined;
  let isRunning = false;
  let isOpen = false;
  /** Whether the place that the page asked for has been shown, or refused. */
  let isPlaced = false;
  let declared: PresenceStatus | undefined;
  let declaredAtConnect: PresenceStatus | undefined;
  let lastNotice = 0;
  /** The server's clock minus the clock that never goes back. */
  let serverAhead = clock.now() - clock.passed();
  let firstRoom = options.room;

  const connector = new Connector({
    url,
    openWire: around.openWire,
    clock,
    random: around.random,
    signs: around.signs,
    fetcher: around.fetcher,
    metrics,
    token: askToken,
    auth,
    changed: connectionChanged,
    event: (name, payload) => incoming(name, payload),
    signedOut: (why) => options.onSignedOut?.(why),
  });

  const answers: RunningAnswers = new RunningAnswers({
    clock,
    nextFrame: around.nextFrame,
    lost: (answer) => void actions.findLost(answer),
    counted: (room) =>
      batch.later((draft) => {
        const { notices } = draft.state;
        const left = noticesWhile(notices, (question) => answers.isRunning(question));
        if (left !== notices) draft.set({ notices: left });
        const running = answers.countIn(room);
        const index = draft.state.rooms.findIndex((it) => it.connectionId === room);
        const known = draft.state.rooms[index];
        if (known === undefined || known.running === running) return;
        draft.set({ rooms: draft.state.rooms.with(index, { ...known, running }) });
      }),
  });

  const reads = new Told<number>(clock, (room, seq) => {
    if (connector.open === undefined) return false;
    if (store.getState().can("read")) void actions.tellRead(room, seq);
    return true;
  });
  const typing = new Typing(clock, (typingUsers) =>
    batch.later((draft) => draft.set({ typingUsers })),
  );

  const core: Core = {
    get batch() {
      return batch;
    },
    clock,
    metrics,
    answers,
    get: () => store.getState(),
    wire: () => connector.open,
    ask: (event, payload) => askOver(connector.open, event, payload),
    notify,
    serverNow: () => clock.passed() + serverAhead,
  };

  const threads = new Threads({ core, rows });
  const receipts = new Receipts({
    core,
    me: () => session?.userId,
    changed: (draft, message) => threads.changed(draft, message),
  });
  const rooms = new Rooms({
    core,
    rows,
    presences,
    first: () => firstRoom,
    markers: () => session?.markers,
    isHeld: (messageId) => threads.isHeld(messageId),
    receipts,
    isAhead: (room, seq) => reads.put(room, seq),
    inThread: (draft, message) => threads.place(draft, message),
    changed: (draft, message) => threads.changed(draft, message),
    remember: keep,
  });

  const actions = createActions({
    core,
    rooms,
    threads,
    reads,
    searching: new Searching(core),
    schemas: new Schemas(core),
    markers: () => session?.markers,
    sending: () => session?.sending,
    token: () => connector.token,
    url,
    fetcher: around.fetcher,
    refreshed(token) {
      connector.token = token;
    },
    declare(status) {
      declared = status;
    },
    retryNow() {
      if (store.getState().connection.phase === "signedOut") chat.start();
      else connector.retryNow();
    },
  });

  const store = createStore<ChatState>()(() => ({
    ...initialFacts(),
    ...actions.state,
    notify,
    dismissNotice: (id) =>
      batch.now((draft) =>
        draft.set({ notices: draft.state.notices.filter((notice) => notice.id !== id) }),
      ),
    sendMessage,
  }));
  const batch = new Batch(store, (error) =>
    metrics.note("change_failed", { error: String(error).slice(0, 200) }),
  );
  const incoming = createIncoming({
    core,
    rooms,
    threads,
    presences,
    typing,
    welcomed,
    expiring: (at) => void expiring(at),
    roomsChanged: () => connector.renewSoon(),
  });

  /** The present token, and so whose outbox it is, before the server says so. */
  async function askToken(): Promise<string | undefined> {
    const token = await options.getToken();
    const userId = token === undefined ? undefined : subjectOf(token);
    if (userId !== undefined && isRunning) batch.now((draft) => beUser(draft, userId));
    return token;
  }

  function auth(token: string, attempt: number): ConnectAuth {
    declaredAtConnect = declared;
    return {
      token,
      ...rooms.joins.atConnect(),
      answerRows: ANSWER_ROWS,
      reconnectAttempts: attempt,
      ...(declared === undefined ? {} : { status: declared }),
    };
  }

  /** The user of the connection. What another user of this browser had is no longer shown. */
  function beUser(draft: Draft, userId: string): void {
    if (session?.userId === userId) return;
    const prefix = ownedPrefix(url(), userId);
    const isOther = draft.state.me?.userId !== userId;
    endSession();
    if (isOther) {
      forgetAll(draft);
      const known = recall(storage, prefix, userId);
      draft.set({ me: { userId }, ...(known === undefined ? {} : known) });
      if (firstRoom !== undefined) draft.set({ room: firstRoom });
    }
    database.reopen();
    const gate = new Gate(`${prefix}gate`, storage, clock);
    const sending = new Sending(outboxOwner(url(), userId), {
      core,
      database,
      gate,
      turns,
      beIn: (room) => rooms.joins.beIn(room),
      sent: (changing, room, messageId, seq) => rooms.placing.sent(changing, room, messageId, seq),
      inThread: (changing, message) => threads.place(changing, message),
    });
    session = { userId, prefix, sending, markers: new LocalMarkers(storage, prefix) };
    void sending.look();
  }

  function endSession(): void {
    session?.sending.close();
    session = undefined;
  }

  function forgetAll(draft: Draft): void {
    draft.set(nobodysFacts());
    answers.clear();
    rooms.clear();
    presences.clear();
    typing.clear();
    reads.clear();
    receipts.clear();
  }

  function welcomed(draft: Draft, status: StatusConnected): void {
    beUser(draft, status.userId);
    serverAhead = (status.serverTime ?? clock.now()) - clock.passed();
    if (draft.state.epoch !== status.epoch) {
      receipts.forgetReceived();
      threads.dropAll(draft);
    }
    const { userId, name, server, limits } = status;
    draft.set({
      me: name === undefined ? { userId } : { userId, name },
      server,
      limits,
      expiringAt: undefined,
      tokenRefusal: undefined,
    });
    rooms.welcomed(draft, status);
    if (draft.state.rooms.some((room) => room.connectionId === firstRoom)) firstRoom = undefined;
    else if (firstRoom !== undefined && !isPlaced) refusePlace(firstRoom);
  }

  /**
   * The room that was asked for is not the user's: its message or thread is not looked for either.
   */
  function refusePlace(wanted: string): void {
    isPlaced = true;
    notify(notForUser(wanted));
    if (ui.getState().panel?.kind === "thread") ui.getState().closePanel();
  }

  function connectionChanged(connection: Connection): void {
    const wasOpen = isOpen;
    isOpen = connection.phase === "connected";
    batch.later((draft) =>
      draft.set({
        connection,
        isConnected: connection.phase === "connected",
        reconnectAttempts: connection.attempt,
      }),
    );
    if (!isOpen) typing.clear();
    else if (!wasOpen) queueMicrotask(afterWelcome);
  }

  function afterWelcome(): void {
    batch.flush();
    if (connector.open === undefined) return;
    if (declared !== undefined && declared !== declaredAtConnect)
      store.getState().setPresence(declared);
    reads.retry();
    receipts.retry();
    session?.sending.connected();
    threads.connected();
    keep();
    const { place } = options;
    const { room } = store.getState();
    if (!isPlace(place) || isPlaced || room === "") return;
    isPlaced = true;
    void rooms.openRoom(room, place);
  }

  function keep(): void {
    if (session !== undefined) remember(storage, session.prefix, store.getState());
  }

  /** A token runs out. `getToken` may have a newer one already. */
  async function expiring(at: number): Promise<void> {
    batch.later((draft) => draft.set({ expiringAt: at }));
    let fresh: string | undefined;
    try {
      fresh = await options.getToken();
    } catch {
      return; // the next CONNECT asks again
    }
    if (fresh === undefined || fresh === connector.token || !isRunning) return;
    if (subjectOf(fresh) === session?.userId) {
      await store.getState().refreshToken(fresh);
    }
  }

  function notify(notice: Omit<Notice, "id">): void {
    lastNotice += 1;
    const next: Notice = { ...notice, id: lastNotice };
    batch.later((draft) =>
      draft.set({ notices: withNotice(draft.state.notices, next, draft.state.room) }),
    );
  }

  async function sendMessage(content: string, how: SendOptions = {}): Promise<string> {
    if (session === undefined) {
      throw new OutboxUnwritable("You are not signed in yet. Your text is kept here.");
    }
    const room = how.room ?? store.getState().room;
    const id = await session.sending.send(content, how);
    void rooms.jumpToEnd(room);
    return id;
  }

  /** The browser asks before it throws away what is stored nowhere. */
  function guard(event: BeforeUnloadEvent): void {
    if (session?.sending.isVolatile === true) event.preventDefault();
  }

  const chat: Chat = {
    store,
    ui,
    answers,
    log: metrics,
    get url() {
      return url();
    },
    start() {
      if (isRunning && store.getState().connection.phase !== "signedOut") return;
      isRunning = true;
      if (typeof window !== "undefined") window.addEventListener("beforeunload", guard);
      connector.start();
      batch.flush();
    },
    stop() {
      isRunning = false;
      if (typeof window !== "undefined") window.removeEventListener("beforeunload", guard);
      connector.stop();
      endSession();
      typing.clear();
      answers.stop();
      database.close();
      batch.flush();
    },
    async signOut({ discard = false } = {}) {
      const prefix = session?.prefix;
      if (discard && session !== undefined) {
        await session.sending.clear();
        for (const key of storage.keys(session.prefix)) storage.remove(key);
      }
      chat.stop();
      if (prefix !== undefined) forget(storage, prefix);
      batch.now((draft) => {
        forgetAll(draft);
        draft.set({ connection: { phase: "signedOut", attempt: 0 } });
      });
    },
  };
  return chat;
}
