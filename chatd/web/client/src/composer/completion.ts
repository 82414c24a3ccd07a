/**
 * What can be completed at the cursor: a command at the beginning, a table after it, tables and
 * columns in SQL, people after `@`. One model for the textarea and the editor.
 */
import type { CommandHelp } from "../websocket/wire.gen";
import { sqlAround } from "./draftedSql";
import {
  COMPLETED_MAX,
  OPTIONS_MAX,
  type Completion,
  type Option,
  type Place,
  type Sources,
} from "./options";
import { isMeant, mentionOf, type Person } from "./people";

const COMMAND = /^\s*(\/[A-Za-z]*)$/;
const ARGUMENT = /^\s*(\/[A-Za-z]+)\s+/;
const MENTION = /(?:^|[\s(])@([^\s@](?:[^\n@]{0,39}))?$/u;

/** What to offer; undefined if nothing is known that would fit. */
export function completionAt(place: Place, sources: Sources): Completion | undefined {
  const { text, cursor } = place;
  if (text.length > COMPLETED_MAX) return undefined;
  // In the middle of a word nothing is offered: its rest would be left over.
  if (/^[\p{L}\p{N}_$]/u.test(text.slice(cursor, cursor + 2))) return undefined;
  const completion = foundAt(place, sources);
  if (completion === undefined) return undefined;
  const typed = text.slice(completion.from, completion.to);
  const options = completion.options.filter(({ insert }) => insert !== typed);
  return options.length === 0 ? undefined : { ...completion, options };
}

function foundAt(place: Place, sources: Sources): Completion | undefined {
  const before = place.text.slice(0, place.cursor);
  const command = COMMAND.exec(before);
  if (command !== null) return commandCompletion(command[1] ?? "", place.cursor, sources.commands);
  const table = tableArgument(before, sources.commands);
  if (table !== undefined) return sources.sql?.tableCompletion(before, table, sources);
  const sql = sources.hasDatabase ? sqlAround(place.text, place.cursor) : undefined;
  if (sql !== undefined) return sources.sql?.sqlCompletion(place, sql, sources);
  return mentionCompletion(before, sources.people);
}

function commandCompletion(
  typed: string,
  cursor: number,
  commands: readonly CommandHelp[],
): Completion {
  const wanted = typed.toLowerCase();
  const options = commands
    .filter(({ name }) => name.toLowerCase().startsWith(wanted))
    .map((command) => optionOf(command));
  const isWhole = commands.some(({ name }) => name.toLowerCase() === wanted);
  return { from: cursor - typed.length, to: cursor, options, isWhole };
}

function optionOf({ name, argument, purpose }: CommandHelp): Option {
  return {
    kind: "command",
    label: argument === null ? name : `${name} ${argument}`,
    ...(purpose === "" ? {} : { detail: purpose }),
    insert: argument === null ? name : `${name} `,
  };
}

/** Where the name of a table begins, after a command that takes one. */
function tableArgument(before: string, commands: readonly CommandHelp[]): number | undefined {
  const match = ARGUMENT.exec(before);
  if (match === null) return undefined;
  const name = match[1]?.toLowerCase();
  const command = commands.find((one) => one.name.toLowerCase() === name);
  return command?.argument === "TABLE" ? match[0].length : undefined;
}

function mentionCompletion(before: string, people: readonly Person[]): Completion | undefined {
  const match = MENTION.exec(before);
  if (match === null) return undefined;
  const typed = match[1] ?? "";
  const meant = people.filter((person) => isMeant(person, typed)).slice(0, OPTIONS_MAX);
  const from = before.length - typed.length - 1;
  const isWhole = people.some(({ name, userId }) => name === typed || userId === typed);
  return {
    from,
    to: before.length,
    options: meant.map((person) => mentionOption(person, people)),
    isWhole,
  };
}

function mentionOption(person: Person, people: readonly Person[]): Option {
  const label = person.name ?? person.userId;
  const detail = [person.name === undefined ? "" : person.userId, person.status ?? ""];
  return {
    kind: "person",
    label,
    detail: detail.filter(Boolean).join(" · "),
    insert: `${mentionOf(person, people)} `,
  };
}

/**
 * Whether Enter takes the picked option, and does not send: if the user has chosen it, by arrows or
 * by asking for the list. `/` and `@` ask for theirs, until what is typed after them is whole.
 */
export function takesEnter(completion: Completion, picked: number, isChosen: boolean): boolean {
  const kind = completion.options[picked]?.kind;
  return isChosen || (!completion.isWhole && (kind === "command" || kind === "person"));
}
