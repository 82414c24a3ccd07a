/**
 * The browser's storage, which may be missing, full, or cleared: then nothing is kept, and nothing
 * worse happens.
 */

export function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keep a value, or remove it if undefined; returns whether the browser has done so. */
export function write(key: string, value: string | undefined): boolean {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
