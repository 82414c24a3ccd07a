import { ChatInterface } from "@chatd/react";
import { Token } from "./token";

// A component of a server: the package itself says where the client begins.
export default function Page() {
  return (
    <>
      <ChatInterface url="https://chat.example" token="t" />
      <Token />
    </>
  );
}
