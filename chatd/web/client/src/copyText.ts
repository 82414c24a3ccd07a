/**
 * Put text on the clipboard; returns whether that was possible. A page over plain http has no
 * access to the clipboard, and selects a hidden box instead.
 */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.readOnly = true;
  box.className = "sr";
  (
    document.querySelector("dialog[open]") ??
    document.querySelector(".chatd") ??
    document.body
  ).append(box);
  try {
    box.select();
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    box.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}
