/** The parts of the page around the chat that are not in the first file. */
import { part, PartFile } from "../components/PartFile";

const pageParts = new PartFile(() => import("./pageParts"));

const EMPTY_SCREEN = <main className="chatd sign-in" aria-busy="true" />;

export const AccountDialog = part(pageParts, (parts) => parts.AccountDialog);
export const AskAboutLink = part(pageParts, (parts) => parts.AskAboutLink, EMPTY_SCREEN);
export const Notifications = part(pageParts, (parts) => parts.Notifications, null);
export const SignIn = part(pageParts, (parts) => parts.SignIn, EMPTY_SCREEN);

/** Have all of them at hand. */
export function loadPages(): Promise<void> {
  return pageParts.load();
}
