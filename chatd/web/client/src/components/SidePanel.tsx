import { useEffect, useRef, type ReactNode } from "react";
import { useWayBack } from "../hooks/useWayBack";
import { useUi } from "../hooks/useChat";
import { MEDIUM, useMedia } from "../hooks/useMedia";
import type { Panel } from "../stores/ui";
import { AnswerPanel } from "./AnswerPanel";
import { ConnectionPanel } from "./ConnectionPanel";
import { Icon } from "./Icon";
import { ModalDialog } from "./ModalDialog";
import { PeoplePanel } from "./People";
import { SchemaPanel } from "./SchemaPanel";
import { SearchPanel } from "./SearchPanel";
import { ThreadPanel } from "./ThreadPanel";

const TITLES: Record<Panel["kind"], string> = {
  thread: "Thread",
  answer: "Answer",
  search: "Search",
  people: "Here now",
  schema: "Tables",
  connection: "Connection and log",
};

/** The one panel beside the messages; over them if there is little room. */
export function SidePanel({ room }: { room: string }) {
  const panel = useUi((state) => state.panel);
  const close = useUi((state) => state.closePanel);
  const isOver = useMedia(MEDIUM);
  useWayBack(panel && keyOf(panel));
  if (panel === undefined) return null;
  const title = TITLES[panel.kind];
  const content = <PanelContent panel={panel} room={room} />;
  if (isOver) {
    return (
      <ModalDialog title={title} className="panel-dialog" close={close}>
        {content}
      </ModalDialog>
    );
  }
  return (
    <PanelFrame key={keyOf(panel)} title={title} close={close}>
      {content}
    </PanelFrame>
  );
}

interface PanelFrameProps {
  title: string;
  close(): void;
  children: ReactNode;
}

function PanelFrame({ title, close, children }: PanelFrameProps) {
  const frame = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = frame.current;
    if (element?.contains(document.activeElement) === false) element.focus();
  }, []);
  return (
    <aside className="panel" data-region="panel" aria-label={title} tabIndex={-1} ref={frame}>
      <header className="panel-header">
        <h2>{title}</h2>
        <button type="button" aria-label={`Close ${title}`} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div className="panel-content">{children}</div>
    </aside>
  );
}

function PanelContent({ panel, room }: { panel: Panel; room: string }) {
  switch (panel.kind) {
    case "thread":
      return <ThreadPanel threadId={panel.threadId} />;
    case "answer":
      return <AnswerPanel answerId={panel.answerId} />;
    case "search":
      return <SearchPanel />;
    case "people":
      return <PeoplePanel />;
    case "schema":
      return <SchemaPanel room={room} />;
    case "connection":
      return <ConnectionPanel />;
  }
}

function keyOf(panel: Panel): string {
  switch (panel.kind) {
    case "thread":
      return `thread ${panel.threadId}`;
    case "answer":
      return `answer ${panel.answerId}`;
    default:
      return panel.kind;
  }
}
