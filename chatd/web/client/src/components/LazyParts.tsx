/**
 * Parts that the first view does not need: each is a file of its own, loaded when it is opened, or
 * before that when the browser has nothing else to do. So they are there when the server is away.
 */
import { Component, lazy, Suspense, type ComponentType, type ReactNode } from "react";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

const loads: (() => Promise<unknown>)[] = [];

function part<P extends object>(load: Load<P>): ComponentType<P> {
  loads.push(load);
  const Loaded = lazy(load);
  return function Part(props: P) {
    return (
      <Boundary>
        <Suspense fallback={<p className="soft">Loading…</p>}>
          <Loaded {...props} />
        </Suspense>
      </Boundary>
    );
  };
}

export const AnswerPanel = part<{ answerId: string }>(() =>
  import("./AnswerPanel").then((module) => ({ default: module.AnswerPanel })),
);
export const ConnectionPanel = part<object>(() =>
  import("./ConnectionPanel").then((module) => ({ default: module.ConnectionPanel })),
);
export const KeysDialog = part<object>(() =>
  import("./KeysDialog").then((module) => ({ default: module.KeysDialog })),
);
export const SchemaPanel = part<{ room: string }>(() =>
  import("./SchemaPanel").then((module) => ({ default: module.SchemaPanel })),
);
export const SearchPanel = part<object>(() =>
  import("./SearchPanel").then((module) => ({ default: module.SearchPanel })),
);
export const SwitchDialog = part<object>(() =>
  import("./SwitchDialog").then((module) => ({ default: module.SwitchDialog })),
);
export const ThreadPanel = part<{ threadId: string }>(() =>
  import("./ThreadPanel").then((module) => ({ default: module.ThreadPanel })),
);

/** Load all parts, one after the other; one that cannot be had is tried again when it is opened. */
export async function loadParts(): Promise<void> {
  for (const load of loads) await load().catch(() => undefined);
}

/** A part that cannot be loaded says so, and leaves the rest of the page alone. */
class Boundary extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <p className="bad" role="alert">
        This part of the page could not be loaded. Reload the page once the server is there again;
        what you wrote stays.
      </p>
    );
  }
}
