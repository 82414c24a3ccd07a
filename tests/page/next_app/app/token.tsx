"use client";
import { ChatInterface, type SignedOut } from "@chatd/react";

export function Token() {
  const signedOut = ({ reason }: SignedOut) => console.log(reason);
  return <ChatInterface getToken={async () => "t"} onSignedOut={signedOut} theme="dark" />;
}
