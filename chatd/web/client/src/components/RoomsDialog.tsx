import type { ReactNode } from "react";
import { useUi } from "../hooks/useChat";
import { ModalDialog } from "./ModalDialog";
import { People } from "./People";
import { RoomList } from "./RoomList";

/** The rooms and who is here, when there is no space for them beside the messages. */
export function RoomsDialog({ title, account }: { title: string; account: ReactNode }) {
  const close = useUi((state) => state.closeDialog);
  return (
    <ModalDialog title={title} className="rooms-dialog" close={close}>
      <RoomList opened={close} />
      <h2 className="rooms-title">Here now</h2>
      <People />
      {account}
    </ModalDialog>
  );
}
