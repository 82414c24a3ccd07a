import { useEffect, useRef, type ReactNode } from "react";
import { ChatProvider, MintsTokens, useChatStore, useUi } from "../hooks/useChat";
import { NARROW, useMedia } from "../hooks/useMedia";
import { useAnnouncer } from "../hooks/useAnnouncer";
import { useKeys } from "../hooks/useKeys";
import { useTabPresence } from "../hooks/useTabPresence";
import { useWebSocket } from "../hooks/useWebSocket";
import type { Chat, ChatOptions } from "../stores/chat";
import { whenShown } from "../stores/whenShown";
import { Announcer } from "./Announcer";
import { Banner, PacingLine } from "./Banner";
import { Composer } from "./Composer";
import {
  ExpiringNotice,
  KeysDialog,
  loadParts,
  MessageList,
  RoomsDialog,
  SidePanel,
  SwitchDialog,
} from "./LazyParts";
import { Notices } from "./Notices";
import { People } from "./People";
import { RoomHeader } from "./RoomHeader";
import { RoomList } from "./RoomList";
import { TypingLine } from "./TypingLine";

export type Theme = "system" | "light" | "dark";

export interface ChatInterfaceProps extends Pick<
  ChatOptions,
  "url" | "room" | "place" | "onSignedOut"
> {
  /** The token; or `getToken`, which is asked at each connection and before a token runs out. */
  token?: string;
  getToken?: ChatOptions["getToken"];
  /** Where to sign in again before a token runs out, if `getToken` has no newer one. */
  loginUrl?: string;
  /** Whether `chatd token mint` makes the tokens, and not the sign-in of an organisation. */
  mints?: boolean;
  /** Called with a token that the user has entered and the server has accepted. */
  onToken?: (token: string) => void;
  theme?: Theme;
  /** What stands above the rooms. */
  title?: string;
  /** What stands below the rooms, such as a menu for the account. */
  account?: ReactNode;
  /** Components that watch the chat, such as one that keeps the page's address in step with it. */
  children?: ReactNode;
}

/**
 * A whole chat: rooms, messages, answers, panels. It fills its container, connects while it is
 * mounted, and needs `style.css`. Another `url` or another user needs another `key`.
 */
export function ChatInterface(props: ChatInterfaceProps) {
  const { theme = "system", title = "chatd", account, children, loginUrl, onToken } = props;
  const chat = useOwnChat(props);
  const root = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia(NARROW);
  useKeys(chat, root);
  useAnnouncer(chat);
  useTabPresence(chat);
  useEffect(() => whenShown(chat, () => void loadParts()), [chat]);
  return (
    <ChatProvider chat={chat}>
      <div className="chatd app" data-theme={theme} ref={root}>
        {!isNarrow && (
          <nav className="rooms" data-region="rooms" aria-label="Rooms">
            <h1>{title}</h1>
            <RoomList />
            <h2 className="rooms-title">Here now</h2>
            <People />
            {account}
          </nav>
        )}
        <MintsTokens.Provider value={props.mints === true}>
          <Room isNarrow={isNarrow} loginUrl={loginUrl} onToken={onToken} />
        </MintsTokens.Provider>
        <OpenPanel />
        <OpenDialog title={title} account={account} />
        <Announcer />
        {children}
      </div>
    </ChatProvider>
  );
}

function useOwnChat(props: ChatInterfaceProps): Chat {
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  return useWebSocket({
    ...(props.url === undefined ? {} : { url: props.url }),
    ...(props.room === undefined ? {} : { room: props.room }),
    ...(props.place === undefined ? {} : { place: props.place }),
    getToken: () => latest.current.getToken?.() ?? latest.current.token,
    onSignedOut: (why) => latest.current.onSignedOut?.(why),
  });
}

interface RoomProps {
  isNarrow: boolean;
  loginUrl: string | undefined;
  onToken: ((token: string) => void) | undefined;
}

function Room({ isNarrow, loginUrl, onToken }: RoomProps) {
  const room = useChatStore((state) => state.room);
  const isExpiring = useChatStore((state) => state.expiringAt !== undefined);
  return (
    <main className="room">
      <RoomHeader room={room} isNarrow={isNarrow} />
      <Banner />
      <div className="room-list" data-region="list">
        <MessageList key={room} room={room} />
      </div>
      <TypingLine room={room} />
      <PacingLine />
      {isExpiring && <ExpiringNotice loginUrl={loginUrl} onToken={onToken} />}
      <Notices />
      <div data-region="composer">{room !== "" && <Composer key={room} room={room} />}</div>
    </main>
  );
}

function OpenPanel() {
  const room = useChatStore((state) => state.room);
  const isOpen = useUi((state) => state.panel !== undefined);
  return isOpen && <SidePanel room={room} />;
}

function OpenDialog({ title, account }: { title: string; account: ReactNode }) {
  const dialog = useUi((state) => state.dialog);
  switch (dialog) {
    case "switch":
      return <SwitchDialog />;
    case "keys":
      return <KeysDialog />;
    case "rooms":
      return <RoomsDialog title={title} account={account} />;
    default:
      return null;
  }
}
