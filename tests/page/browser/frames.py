"""What is painted while a list scrolls: where messages stand, and whether any place is bare.

A frame is read in a task after it was made, so that what the page corrects within the frame counts
as a reader sees it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
from playwright.sync_api import Page

WATCH: Final = """
(direction) => {
  const scroller = document.querySelector(".room-list [role=log]");
  const seen = { frames: 0, jumps: [], blanks: [], moved: 0, farFromEnd: 0 };
  const watch = { isOn: true, seen };
  let last;
  let belowBefore = 0;
  const channel = new MessageChannel();

  function look() {
    const box = scroller.getBoundingClientRect();
    const rows = [...scroller.querySelectorAll("[data-index]")].map((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return { top, bottom, seq: Number(row.querySelector("[data-seq]")?.dataset.seq) };
    });
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    seen.frames += 1;
    // A row that comes may be measured a frame late; two in a row are seen.
    seen.farFromEnd = Math.max(seen.farFromEnd, Math.min(below, belowBefore));
    belowBefore = below;
    noteBlank(box, rows, below);
    noteJump(box, rows);
  }

  function noteBlank(box, rows, below) {
    const bareAbove = (rows[0]?.top ?? Infinity) - box.top;
    const bareBelow = box.bottom - (rows.at(-1)?.bottom ?? -Infinity);
    const isAtTop = scroller.scrollTop <= 13;
    const isBare = (!isAtTop && bareAbove > 1) || (below > 13 && bareBelow > 1);
    if (isBare) seen.blanks.push([seen.frames, bareAbove, bareBelow].join(" "));
  }

  function noteJump(box, rows) {
    const top = rows.find((row) => row.bottom > box.top + 1 && !Number.isNaN(row.seq));
    if (last !== undefined && top !== undefined) {
      const same = rows.find((row) => row.seq === last.seq);
      const moved = same === undefined ? (last.seq - top.seq) * 1000 : same.top - last.top;
      seen.moved = Math.max(seen.moved, Math.abs(moved));
      if (moved * direction < -1) {
        seen.jumps.push(`${seen.frames}: ${last.seq} moved by ${Math.round(moved)} px`);
      }
    }
    last = top;
  }

  channel.port1.onmessage = () => {
    if (!watch.isOn) return;
    look();
    requestAnimationFrame(() => channel.port2.postMessage(0));
  };
  requestAnimationFrame(() => channel.port2.postMessage(0));
  globalThis.watchedFrames = watch;
}
"""
UNWATCH: Final = """
() => { globalThis.watchedFrames.isOn = false; return globalThis.watchedFrames.seen; }
"""


@attrs.define
class Frames:
    """What was painted: `jumps` against the direction of the reader, `blanks` with a bare place,
    and how far anything moved, and the end of the list was away at most, in px."""

    frames: int = 0
    jumps: list[str] = attrs.field(factory=list)
    blanks: list[str] = attrs.field(factory=list)
    moved: float = 0
    far_from_end: float = 0


@contextmanager
def painted(page: Page, direction: int = 0) -> Iterator[Frames]:
    """Watch the list of the room: 1 for a reader who goes up, -1 for one who goes down."""
    frames = Frames()
    page.evaluate(WATCH, direction)
    yield frames
    seen: dict[str, Any] = page.evaluate(UNWATCH)
    frames.frames, frames.jumps, frames.blanks = seen["frames"], seen["jumps"], seen["blanks"]
    frames.moved, frames.far_from_end = seen["moved"], seen["farFromEnd"]
