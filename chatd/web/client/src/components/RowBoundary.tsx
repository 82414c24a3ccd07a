import { Component, type ReactNode } from "react";
import type { ChatMessage } from "../websocket/types";

interface RowBoundaryProps {
  message: ChatMessage;
  children: ReactNode;
}

interface RowBoundaryState {
  hasFailed: boolean;
  /** The message that was last drawn, or could not be. */
  message: ChatMessage | undefined;
}

/**
 * A message that this page cannot draw, such as one of a newer server, is shown as its text, and
 * breaks nothing else. It is tried again when it changes.
 */
export class RowBoundary extends Component<RowBoundaryProps, RowBoundaryState> {
  override state: RowBoundaryState = { hasFailed: false, message: undefined };

  static getDerivedStateFromError(): Partial<RowBoundaryState> {
    return { hasFailed: true };
  }

  static getDerivedStateFromProps(
    { message }: RowBoundaryProps,
    state: RowBoundaryState,
  ): Partial<RowBoundaryState> | null {
    return message === state.message ? null : { message, hasFailed: false };
  }

  override render(): ReactNode {
    const { message, children } = this.props;
    if (!this.state.hasFailed) return children;
    return (
      <>
        <p className="message-gone">This page cannot show this message as it is meant.</p>
        <p className="message-text">{message.content}</p>
      </>
    );
  }
}
