/** The parts of the chat, for applications with React. */
export { ChatInterface, type ChatInterfaceProps, type Theme } from "./components/ChatInterface";
export { AnswerCard } from "./components/AnswerCard";
export { Composer } from "./components/Composer";
export { MessageList } from "./components/MessageList";
export { ChatProvider, useChat, useChatStore, useUi } from "./hooks/useChat";
export { useWebSocket } from "./hooks/useWebSocket";
export * from "./client";
