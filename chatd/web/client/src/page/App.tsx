import { useEffect, useState } from "react";
import { flushSync } from "react-dom";
import { ChatInterface } from "../components/ChatInterface";
import { useChat } from "../hooks/useChat";
import { useLatest } from "../hooks/useLatest";
import type { SignedOut } from "../stores/chat";
import { AccountMenu } from "./AccountMenu";
import { DEFAULT_CONFIG, readConfig, signInLink, type PageConfig } from "./config";
import { forgetRooms } from "./kept";
import { AskAboutLink, loadPages, Notifications, SignIn } from "./LazyPages";
import { placeOf, Places, useFirstThread } from "./places";
import { usePreferences } from "./preferences";
import {
  claimsOf,
  decideOnLink,
  takeTokenOfLink,
  type LinkDecision,
  type Session,
} from "./session";
import { read, write } from "./storage";
import { TitleBadge } from "./TitleBadge";
import { whenIdle } from "../whenIdle";

/** How often at most the page sends somebody to sign in by itself. Unit: ms. */
const REDIRECT_EVERY_MS = 60_000;
const REDIRECTED = "chatd.redirected";

/** After so long the parts that show only at times are read at the latest. Unit: ms. */
const PAGES_LATEST_MS = 8_000;

interface AppProps {
  session: Session;
  /** The token that the page's link has brought along. */
  link: string | undefined;
}

/** The page: who is signed in, and the chat. */
export function App({ session, link }: AppProps) {
  const [token, setToken] = useState(() => session.token());
  const [asked, setAsked] = useState(() => undecided(link, session.token()));
  const [why, setWhy] = useState<SignedOut>({});
  const [lastUser, setLastUser] = useState<string>();
  const [takenBack, setTakenBack] = useState(0);
  const config = useConfig();
  const preferences = usePreferences();
  const userId = token === undefined ? undefined : (claimsOf(token).userId ?? "");

  function signIn(next: string | undefined, reason: SignedOut = {}) {
    session.keep(next);
    setToken(next);
    setWhy(reason);
  }

  useEffect(
    () =>
      session.onChangeElsewhere((next) => {
        flushSync(() => setToken(next));
        if (next === undefined && userId !== undefined) forgetRooms(userId);
      }),
    [session, userId],
  );
  useEffect(() => whenIdle(() => void loadPages(), PAGES_LATEST_MS), []);
  useLinks((come) => {
    const decision = decidedNow(come, session.token());
    if (decision === "use") takeLink(come);
    else if (decision === "ask") setAsked(come);
  });
  useRedirect(token === undefined && why.code !== undefined ? config.loginUrl : undefined);

  function takeLink(come: string) {
    session.takeLink(come);
    setToken(come);
    setWhy({});
  }

  function onSignedOut(reason: SignedOut) {
    setLastUser(userId);
    const before = session.takeBack(Date.now());
    if (before === undefined) {
      signIn(undefined, reason);
      return;
    }
    setToken(before);
    setTakenBack((times) => times + 1);
  }

  if (asked !== undefined && token !== undefined) {
    return (
      <AskAboutLink
        title={config.title}
        link={asked}
        stored={token}
        use={() => {
          setAsked(undefined);
          takeLink(asked);
        }}
        ignore={() => setAsked(undefined)}
      />
    );
  }
  const loginLink = config.loginUrl === undefined ? undefined : signInLink(config.loginUrl);
  if (token === undefined) {
    return (
      <SignIn
        title={config.title}
        code={why.code}
        reason={why.reason}
        userId={lastUser}
        loginLink={loginLink}
        mints={config.mints}
        signIn={signIn}
      />
    );
  }
  const place = placeOf(location.search);
  return (
    <ChatInterface
      key={`${takenBack} ${userId}`}
      getToken={() => session.token()}
      onSignedOut={onSignedOut}
      onToken={(next) => session.keep(next)}
      theme={preferences.theme}
      title={config.title}
      {...(config.mints === true ? { mints: true } : {})}
      {...(loginLink === undefined ? {} : { loginUrl: loginLink })}
      {...(place.room === undefined ? {} : { room: place.room })}
      place={{
        ...(place.at === undefined ? {} : { seq: place.at }),
        ...(place.message === undefined ? {} : { messageId: place.message }),
      }}
      account={<AccountMenu preferences={preferences} signedOut={() => signIn(undefined)} />}
    >
      <Places />
      <FirstThread thread={place.thread} />
      <TitleBadge title={config.title} />
      <Notifications notify={preferences.notify} />
      <FreshToken token={token} />
    </ChatInterface>
  );
}

function FirstThread({ thread }: { thread: string | undefined }) {
  const [first] = useState(thread);
  useFirstThread(useChat(), first);
  return null;
}

/** A token that another tab, or the sign-in page, has stored renews this tab's connection. */
function FreshToken({ token }: { token: string }) {
  const chat = useChat();
  const [first] = useState(token);
  useEffect(() => {
    if (token !== first) void chat.store.getState().refreshToken(token);
  }, [chat, token, first]);
  return null;
}

function useConfig(): PageConfig {
  const [config, setConfig] = useState(DEFAULT_CONFIG);
  useEffect(() => {
    let isWanted = true;
    void readConfig().then((known) => isWanted && setConfig(known));
    return () => {
      isWanted = false;
    };
  }, []);
  return config;
}

/** The token of a link about which the user has to be asked; one that needs no question is kept. */
function undecided(link: string | undefined, stored: string | undefined): string | undefined {
  if (link === undefined) return undefined;
  return decidedNow(link, stored) === "ask" ? link : undefined;
}

function decidedNow(link: string, stored: string | undefined): LinkDecision {
  return decideOnLink(link, stored, Date.now());
}

/**
 * A link entered into the address bar of this page does not reload it; this is how its token is
 * taken.
 */
function useLinks(come: (link: string) => void) {
  const latest = useLatest(come);
  useEffect(() => {
    function look() {
      const link = takeTokenOfLink();
      if (link !== undefined) latest.current(link);
    }
    window.addEventListener("hashchange", look);
    return () => window.removeEventListener("hashchange", look);
  }, [latest]);
}

/** Takes a user who was signed out to the sign-in page, as soon as its address is known. */
function useRedirect(loginUrl: string | undefined) {
  useEffect(() => {
    if (loginUrl !== undefined && mayRedirect()) location.assign(signInLink(loginUrl));
  }, [loginUrl]);
}

function mayRedirect(): boolean {
  const last = Number(read(REDIRECTED) ?? 0);
  const now = Date.now();
  if (now - last < REDIRECT_EVERY_MS && now >= last) return false;
  return write(REDIRECTED, String(now)); // where nothing is kept, it could go round for ever
}
