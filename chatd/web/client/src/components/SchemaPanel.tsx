/** The tables and columns of the room’s database, in the panel. */
export function SchemaPanel(_: { room: string }) {
  return null;
}
