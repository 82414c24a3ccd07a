/**
 * A stretch of messages as a virtual list that holds still: older messages above, growth and
 * resizing move nothing that is being read, and who is at the end stays there.
 */
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** Who is so near to the end is at it. Unit: px. */
export const END_PX = 80;
/** Nothing is so near to the end: then nothing is pinned to it. Unit: px. */
const NOWHERE = -1;
const OVERSCAN = 8;
const PADDING_PX = 12;

/** Where to go: a message, so far below the top, or the end. A new object for each wish. */
export interface Goal {
  /** Absent for the end. */
  readonly messageId?: string;
  /** How far below the top; a third of the height where it is absent. Unit: px. */
  readonly at?: number;
}

export type Scroller = Virtualizer<HTMLDivElement, HTMLElement>;

export interface Stretch {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Scroller;
  /** The ref of each row. */
  measure(row: HTMLElement | null): void;
  /** Let the next growth move nothing above it, also at the end. */
  holdStill(): void;
}

interface StretchOptions {
  readonly ids: readonly string[];
  readonly goal: Goal;
  /** Whether more messages lie below: then what comes at the end is not followed. */
  readonly hasNewer: boolean;
  heightOf(messageId: string): number;
}

export function useStretch({ ids, goal, hasNewer, heightOf }: StretchOptions): Stretch {
  const scroller = useRef<HTMLDivElement>(null);
  const hadNewer = useRef(hasNewer);
  const isHeld = useRef(false);
  const [third, setThird] = useState(200);
  const keyOf = useCallback((at: number) => ids[at] ?? "", [ids]);
  // Its functions are stable, and no compiler memoizes anything here.
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
 * What is above the reader and changes its height is made up for, in whichever direction the reader
 * scrolls: a row that loses the line of its day, because an older message came above it, would else
 * pull along all that is read.
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
 * somebody scrolls, which can be a frame later: that frame showed what is read pushed away by a row
 * that is higher than was thought, and the next one showed it coming back.
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

/** A third of the height, where a message stands that was gone to. */
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
 * For some frames the list goes on to a row by its number, while it measures what lies around. What
 * comes above meanwhile gives the row another number.
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

/** Go where the list is to go, as soon as it holds that message; each goal once. */
function useGoal(virtualizer: Scroller, ids: readonly string[], goal: Goal, third: number): void {
  const gone = useRef<Goal | undefined>(undefined);
  const firstThird = useRef(third);
  useLayoutEffect(() => {
    // The first measure of the height comes after the first goal, which then is gone to again.
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
