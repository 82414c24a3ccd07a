/** Which rows and columns of a scrolled table are in view, so that no others are made. */
import { useLayoutEffect, useState, type RefObject } from "react";

/** The height of each row of a table, its head included. Unit: px; `answers.css` has it too. */
export const ROW_PX = 28;
/** Up to here, all rows and all columns are made. */
export const ROWS_MADE = 50;
export const COLUMNS_MADE = 40;
/** How much is made beyond what is in view, on each side. Unit: px. */
const MARGIN_PX = 280;
/** Scrolling by less renders nothing. Unit: px. */
const STEP_PX = 112;

/** Rows and columns to make: from the first to before the last. */
export interface ScrollWindow {
  rowFrom: number;
  rowTo: number;
  columnFrom: number;
  columnTo: number;
}

interface Place {
  top: number;
  left: number;
  height: number;
  width: number;
}

const AT_START: Place = { top: 0, left: 0, height: 320, width: 960 };

/** `offsets`: where each column begins, and where the last one ends. */
export function useScrollWindow(
  box: RefObject<HTMLElement | null>,
  rowCount: number,
  offsets: readonly number[],
): ScrollWindow {
  const [place, setPlace] = useState(AT_START);
  const isPlain = rowCount <= ROWS_MADE && offsets.length - 1 <= COLUMNS_MADE;
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || isPlain) return undefined;
    const look = () => setPlace((before) => sameOr(before, placeOf(element)));
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [box, isPlain]);
  return windowOf(place, rowCount, offsets);
}

/** The rows and columns that are in view when a box is scrolled to this place. */
export function windowOf(place: Place, rowCount: number, offsets: readonly number[]): ScrollWindow {
  const columns = offsets.length - 1;
  const isWide = columns > COLUMNS_MADE;
  const isLong = rowCount > ROWS_MADE;
  const first = Math.floor((place.top - MARGIN_PX) / ROW_PX);
  const last = Math.ceil((place.top + STEP_PX + place.height + MARGIN_PX) / ROW_PX);
  const left = place.left - MARGIN_PX;
  const right = place.left + STEP_PX + place.width + MARGIN_PX;
  // When a table has become shorter, the browser scrolls it to its end a moment later.
  const rowTo = isLong ? Math.min(rowCount, last) : rowCount;
  return {
    rowFrom: isLong ? Math.max(0, Math.min(first, rowCount - ROWS_MADE)) : 0,
    rowTo,
    columnFrom: isWide ? Math.max(0, countBelow(offsets, left) - 1) : 0,
    columnTo: isWide ? Math.min(columns, countBelow(offsets, right)) : columns,
  };
}

function placeOf(element: HTMLElement): Place {
  const step = (px: number) => Math.floor(Math.abs(px) / STEP_PX) * STEP_PX;
  return {
    top: step(element.scrollTop),
    left: step(element.scrollLeft),
    height: element.clientHeight || AT_START.height,
    width: element.clientWidth || AT_START.width,
  };
}

function sameOr(before: Place, now: Place): Place {
  const isSame =
    before.top === now.top &&
    before.left === now.left &&
    before.height === now.height &&
    before.width === now.width;
  return isSame ? before : now;
}

/** How many of the ascending numbers are at most `limit`. */
function countBelow(ascending: readonly number[], limit: number): number {
  let [from, to] = [0, ascending.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ascending[middle] ?? 0) <= limit) from = middle + 1;
    else to = middle;
  }
  return from;
}
