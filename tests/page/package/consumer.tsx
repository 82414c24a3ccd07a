/** An application that uses the parts, as the compiler sees it. */
import { ChatInterface, useChatStore, type Chat, type ChatMessage } from "@chatd/react";
import { createChat } from "@chatd/react/client";

export function Application() {
  return (
    <ChatInterface
      url="https://chat.example"
      getToken={async () => "token"}
      onSignedOut={({ reason }) => console.log(reason)}
      room="demo"
      theme="dark"
    />
  );
}

export function Count() {
  const messages: ReadonlyMap<string, ChatMessage> = useChatStore((state) => state.messages);
  return <p>{messages.size}</p>;
}

export const chat: Chat = createChat({ url: "https://chat.example", getToken: () => undefined });

// @ts-expect-error A theme that there is not is an error.
export const wrong = <ChatInterface theme="blue" />;
// @ts-expect-error So is a message without its content.
export const message: ChatMessage = { messageId: "1" };
