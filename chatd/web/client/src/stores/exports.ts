/** Links that download an answer once. */
import type { ExportFormat } from "./state";

export interface ExportParts {
  url: string;
  token: string;
  fetcher: typeof fetch;
}

/** The link, or a sentence that says why there is none. Never rejects. */
export async function linkOf(
  answerId: string,
  format: ExportFormat,
  { url, token, fetcher }: ExportParts,
): Promise<{ link: string } | { failure: string }> {
  const path = `${url}api/answers/${encodeURIComponent(answerId)}`;
  try {
    const response = await fetcher(`${path}/ticket`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      credentials: "omit",
      cache: "no-store",
    });
    const body: unknown = await response.json();
    const ticket = textIn(body, "ticket");
    if (response.ok && ticket !== undefined) {
      return { link: `${path}.${format}?ticket=${encodeURIComponent(ticket)}` };
    }
    return { failure: sentenceIn(body) ?? "The server offers no download of this answer." };
  } catch {
    return { failure: "The server did not answer. Try the download again." };
  }
}

function sentenceIn(body: unknown): string | undefined {
  const error = typeof body === "object" && body !== null && "error" in body ? body.error : body;
  return textIn(error, "message");
}

function textIn(body: unknown, name: string): string | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, name)) return undefined;
  const value = (body as Record<string, unknown>)[name];
  return typeof value === "string" ? value : undefined;
}
