/** Parts of the page that come in files of their own, so that the first view is there sooner. */
import {
  Component,
  useEffect,
  useSyncExternalStore,
  type ComponentType,
  type ReactNode,
} from "react";

/** A file with parts: read once, whoever asks; read again if that has failed. */
export class PartFile<Parts extends object> {
  private parts: Parts | undefined;
  private hasFailed = false;
  private reading: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly read: () => Promise<Parts>) {}

  /** Have its parts at hand. It never rejects: a part itself says that it could not be loaded. */
  load(): Promise<void> {
    this.reading ??= this.read().then(
      (parts) => this.tell(parts, false),
      () => this.tell(undefined, true),
    );
    return this.reading;
  }

  readonly state = (): Parts | "failed" | undefined =>
    this.parts ?? (this.hasFailed ? "failed" : undefined);

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private tell(parts: Parts | undefined, hasFailed: boolean): void {
    this.parts = parts;
    this.hasFailed = hasFailed;
    if (hasFailed) this.reading = undefined;
    for (const listener of this.listeners) listener();
  }
}

/**
 * A component of a file. Once the file has been read, the component is drawn at once, like any
 * other; until then `meanwhile` stands in its place.
 */
export function part<Parts extends object, Props extends object>(
  file: PartFile<Parts>,
  pick: (parts: Parts) => ComponentType<Props>,
  meanwhile: ReactNode = <Loading />,
): ComponentType<Props> {
  return function Part(props: Props) {
    const parts = useSyncExternalStore(file.subscribe, file.state, nothingYet);
    useEffect(() => void file.load(), []);
    if (parts === undefined) return meanwhile;
    if (parts === "failed") return <Unavailable />;
    const Picked = pick(parts);
    return (
      <Boundary>
        <Picked {...props} />
      </Boundary>
    );
  };
}

/** What a server renders for a part. */
function nothingYet(): undefined {
  return undefined;
}

function Loading() {
  return (
    <p className="part-loading soft" role="status">
      Loading…
    </p>
  );
}

function Unavailable() {
  return (
    <p className="part-unavailable bad" role="alert">
      This part of the page could not be loaded. Reload the page once the server is back; what you
      wrote stays.
    </p>
  );
}

/** A part that breaks says so, and leaves the rest of the page alone. */
class Boundary extends Component<{ children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override render() {
    return this.state.isBroken ? <Unavailable /> : this.props.children;
  }
}
