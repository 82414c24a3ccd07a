/**
 * A stretch of messages as a virtual list that holds still: older messages above, growth and
 * resizing move nothing that is being read, and a reader at the end stays there.
 */
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** A reader so near to the end is at the end. Unit: px. */
export const END_PX = 80;
/** No reader is so near to the end: with this, nothing is pinned to it. Unit: px. */
const NOWHERE = -1;
const OVERSCAN = 8;
const PADDING_PX = 12;

/** Where to go: a message, so far below the top, or the end. A new object for each wish. */
export interface Goal {
  /** Absent for the end. */
  readonly messageId?: string;
  /** How far below the top; a third of the height if absent. Unit: px. */
  readonly at?: number;
}

export type Scroller = Virtualizer<HTMLDivElement, HTMLElement>;

export interface Stretch {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Scroller;
  /** The ref of each row. */
  measure(row: HTMLElement | null): void;
  /** Let the next growth move nothing above it, even at the end. */
  holdStill(): void;
}

interface StretchOptions {
  readonly ids: readonly string[];
  readonly goal: Goal;
  /** Whether more messages lie below: then the list does not follow what comes at the end. */
  readonly hasNewer: boolean;
  heightOf(messageId: string): number;
}

export function useStretch({ ids, goal, hasNewer, heightOf }: StretchOptions): Stretch {
  const scroller = useRef<HTMLDivElement>(null);
  const hadNewer = useRef(hasNewer);
  const isHeld = useRef(false);
  const [third, setThird] = useState(200);
  const keyOf = useCallback((at: number) => ids[at] ?? "", [ids]);
  // The list's functions are stable, and no compiler memoizes anything here.
  // oxlint-disable-next-line react/incompatible-library
  const virtualizer: Scroller = useVirtualizer<HTMLDivElement, HTMLElement>({
    count: ids.length,
    getScrollElement: () => scroller.current,
    estimateSize: (at) => heightOf(keyOf(at)),
    getItemKey: keyOf,
    anchorTo: "end",
    followOnAppend: !hasNewer && !hadNewer.current,
    scrollEndThreshold: isHeld.current ? NOWHERE : END_PX,
    overscan: OVERSCAN,
    paddingStart: PADDING_PX,
    paddingEnd: PADDING_PX,
    scrollPaddingStart: goal.at ?? third,
    initialOffset: () => firstGuess(ids, goal, heightOf),
  });
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = growsAbove;

  useEffect(() => {
    hadNewer.current = hasNewer;
  });
  useThird(scroller, setThird);
  usePinOnResize(scroller, virtualizer);
  useSteadyTarget(virtualizer, ids);
  useGoal(virtualizer, ids, goal, third);
  const holdStill = useCallback(() => {
    isHeld.current = true;
    virtualizer.options.scrollEndThreshold = NOWHERE;
    // The growth is measured at the end of the next frame.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        isHeld.current = false;
        virtualizer.options.scrollEndThreshold = END_PX;
      }),
    );
  }, [virtualizer]);
  const measure = useCallback(
    (row: HTMLElement | null) => measureAtOnce(virtualizer, row),
    [virtualizer],
  );
  return { scroller, virtualizer, measure, holdStill };
}

/**
 * When a row above the reader changes its height, the list makes up for it, in whichever direction
 * the reader scrolls: otherwise a row that loses the line of its day, because an older message came
 * above it, would pull along all that is being read.
 */
function growsAbove(
  item: { start: number; end: number; key: number | string | bigint },
  _delta: number,
  list: Scroller,
): boolean {
  const top = list.scrollOffset ?? 0;
  return list.itemSizeCache.has(item.key) ? item.end <= top : item.start < top;
}

/**
 * Measure a row in the frame in which it is drawn. The list would leave that to its observer while
 * somebody scrolls, which can be a frame later: that frame would show the text pushed away by a row
 * that is higher than estimated, and the next one would show it coming back.
 */
function measureAtOnce(list: Scroller, row: HTMLElement | null): void {
  const { isScrolling } = list;
  list.isScrolling = false;
  try {
    list.measureElement(row);
  } finally {
    list.isScrolling = isScrolling;
  }
}

/** Where to draw first, before anything is measured. */
function firstGuess(
  ids: readonly string[],
  goal: Goal,
  heightOf: (messageId: string) => number,
): number {
  let top = 0;
  for (const id of ids) {
    if (id === goal.messageId) break;
    top += heightOf(id);
  }
  return top;
}

/** A third of the height: a message that the list has gone to stands there. */
function useThird(scroller: RefObject<HTMLDivElement | null>, set: (px: number) => void): void {
  useLayoutEffect(() => {
    const height = scroller.current?.clientHeight ?? 0;
    if (height > 0) set(Math.round(height / 3));
  }, [scroller, set]);
}

/** A banner, a notice or a keyboard makes the list lower: its end stays in view. */
function usePinOnResize(scroller: RefObject<HTMLDivElement | null>, virtualizer: Scroller): void {
  useEffect(() => {
    const element = scroller.current;
    if (element === null || typeof ResizeObserver === "undefined") return;
    let isAtEnd = true;
    let height = element.clientHeight;
    const note = () => {
      if (element.clientHeight !== height) return;
      isAtEnd = element.scrollHeight - element.scrollTop - height <= END_PX;
    };
    note();
    const observer = new ResizeObserver(() => {
      if (element.clientHeight === height) return;
      height = element.clientHeight;
      if (isAtEnd) virtualizer.scrollToEnd();
    });
    observer.observe(element);
    element.addEventListener("scroll", note, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", note);
    };
  }, [scroller, virtualizer]);
}

/**
 * For some frames the list goes on to a row by its number, while it measures the rows around it.
 * Messages that come above meanwhile give the row another number.
 */
function useSteadyTarget(virtualizer: Scroller, ids: readonly string[]): void {
  const before = useRef(ids);
  useLayoutEffect(() => {
    const held = before.current;
    before.current = ids;
    const target = virtualizer["scrollState"];
    if (held === ids || target === null || target.index === null || target.toEnd === true) return;
    const id = held[target.index];
    const at = id === undefined ? -1 : ids.indexOf(id);
    if (at >= 0 && at !== target.index) virtualizer.scrollToIndex(at, { align: target.align });
  }, [virtualizer, ids]);
}

/** Go to the goal as soon as the list holds its message; to each goal once. */
function useGoal(virtualizer: Scroller, ids: readonly string[], goal: Goal, third: number): void {
  const gone = useRef<Goal | undefined>(undefined);
  const firstThird = useRef(third);
  useLayoutEffect(() => {
    // The height is first measured after the first goal; then the list goes there again.
    const isRemeasured = firstThird.current !== third && goal.at === undefined;
    firstThird.current = third;
    if (gone.current === goal && !isRemeasured) return;
    if (goal.messageId === undefined) {
      gone.current = goal;
      virtualizer.scrollToEnd();
      return;
    }
    const at = ids.indexOf(goal.messageId);
    if (at < 0) return;
    gone.current = goal;
    virtualizer.scrollToIndex(at, { align: "start" });
  }, [virtualizer, ids, goal, third]);
}
