import type { CommandHelp, RoomDatabase, ServerInfo } from "../websocket/wire.gen";

/**
 * The commands that a room's database answers, with what the server says about them. An older
 * server names none, and no list is shown.
 */
export function commandsOf(
  server: ServerInfo | undefined,
  database: RoomDatabase | undefined,
): CommandHelp[] {
  const help = new Map((server?.commands ?? []).map((one) => [withSlash(one.name), one]));
  return (database?.commands ?? []).map((said) => {
    const name = withSlash(said);
    const known = help.get(name);
    return { name, argument: known?.argument ?? null, purpose: known?.purpose ?? "" };
  });
}

function withSlash(name: string): string {
  return name.startsWith("/") ? name : `/${name}`;
}
