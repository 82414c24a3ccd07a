/** What a reader has chosen for this browser: the theme, and what notifications are shown. */
import { useState } from "react";
import type { Theme } from "../components/ChatInterface";
import { read, write } from "./storage";

export type Notify = "nothing" | "mentions" | "everything";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
const NOTIFY: readonly Notify[] = ["nothing", "mentions", "everything"];

export interface Preferences {
  theme: Theme;
  notify: Notify;
  setTheme(theme: Theme): void;
  setNotify(notify: Notify): void;
}

export function usePreferences(): Preferences {
  const [theme, setTheme] = useKept("chatd.theme", THEMES, "system");
  const [notify, setNotify] = useKept("chatd.notify", NOTIFY, "nothing");
  return { theme, notify, setTheme, setNotify };
}

function useKept<T extends string>(
  key: string,
  known: readonly T[],
  usual: T,
): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => known.find((one) => one === read(key)) ?? usual);
  function keep(next: T) {
    write(key, next);
    setValue(next);
  }
  return [value, keep];
}
