/** What the server says about its page, before anybody is signed in. */

export interface PageConfig {
  title: string;
  /** Where to sign in; undefined if only tokens are accepted. */
  loginUrl?: string;
  /** Whether the server makes tokens itself; undefined until it is known. */
  mints?: boolean;
}

export const DEFAULT_CONFIG: PageConfig = { title: "chatd" };

/** Ask the server; what it does not say keeps its default. Never rejects. */
export async function readConfig(): Promise<PageConfig> {
  try {
    const response = await fetch("api/web/config", { cache: "no-store" });
    if (!response.ok) return DEFAULT_CONFIG;
    return configOf(await response.json());
  } catch {
    return DEFAULT_CONFIG;
  }
}

/** The configuration in an answer; a link that leads to anything but a web page is ignored. */
export function configOf(answer: unknown): PageConfig {
  const { title, loginUrl, mints } = (answer ?? {}) as Record<string, unknown>;
  return {
    title: typeof title === "string" && title !== "" ? title : DEFAULT_CONFIG.title,
    ...(typeof loginUrl === "string" && isWebLink(loginUrl) ? { loginUrl } : {}),
    ...(typeof mints === "boolean" ? { mints } : {}),
  };
}

function isWebLink(link: string): boolean {
  try {
    return /^https?:$/.test(new URL(link, location.href).protocol);
  } catch {
    return false;
  }
}

/** The link to sign in at, which leads back to this page. */
export function signInLink(loginUrl: string): string {
  const link = new URL(loginUrl, location.href);
  link.searchParams.set("return_to", new URL(".", location.href).href);
  return link.href;
}
