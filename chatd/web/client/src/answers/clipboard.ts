/**
 * The clipboard, even if a page may not write to it: over plain http, browsers offer only the old
 * function, which copies what is selected.
 *
 * A table goes the old way first, everywhere: the newer one reads its HTML as a page would, and the
 * page's own policy then takes away what marks a cell as text.
 */

/**
 * Copy a text, and the same as HTML if it is given; returns whether that worked. Call it on a
 * click.
 */
export async function copyText(text: string, html?: string): Promise<boolean> {
  if (html !== undefined && copyBySelection(text, html)) return true;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return html === undefined && copyBySelection(text);
  }
}

function copyBySelection(text: string, html?: string): boolean {
  const before = document.activeElement;
  // What lies outside of an open dialog cannot be selected.
  const place = before?.closest("dialog") ?? document.body;
  const area = selectable(text);
  let isFilled = false;
  const fill = (event: ClipboardEvent) => {
    if (event.clipboardData === null) return;
    event.clipboardData.setData("text/plain", text);
    if (html !== undefined) event.clipboardData.setData("text/html", html);
    event.preventDefault();
    isFilled = true;
  };
  place.append(area);
  document.addEventListener("copy", fill, true);
  try {
    area.select();
    return document.execCommand("copy") && (isFilled || html === undefined);
  } catch {
    return false;
  } finally {
    document.removeEventListener("copy", fill, true);
    area.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  }
}

/** A box with a text that can be selected, but is not seen. */
function selectable(text: string): HTMLTextAreaElement {
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.setAttribute("aria-hidden", "true");
  area.style.position = "fixed";
  area.style.top = "0";
  area.style.opacity = "0";
  return area;
}
