/** What the page shows only at times: read when the browser has nothing else to do. */
export { AccountDialog } from "./AccountDialog";
export { Notifications } from "./Notifications";
export { AskAboutLink, SignIn } from "./SignIn";
