/** Parts that a click or a key opens: loaded when the browser has nothing else to do. */
export { ExpiringNotice } from "./ExpiringNotice";
export { KeysDialog } from "./KeysDialog";
export { RoomsDialog } from "./RoomsDialog";
export { SidePanel } from "./SidePanel";
export { SwitchDialog } from "./SwitchDialog";
