/**
 * Words of SQL that are offered while the user writes, and never replaced by a name that begins
 * like them.
 */
export const KEYWORDS: readonly string[] = (
  "select from where group by order having limit offset join left right inner outer full cross on " +
  "using as and or not in is null like ilike between case when then else end with recursive union " +
  "intersect except all distinct insert into values update set delete create table view index drop " +
  "alter explain desc asc nulls first last exists true false cast over partition returning count " +
  "sum avg min max coalesce round lower upper length substr date extract"
).split(" ");

/** Those that go on after an expression or a table; shorter ones are soon written. */
export const GOING_ON = new Set(
  (
    "from where group order having limit offset join left right inner outer full cross using and " +
    "not like ilike between when then else end union intersect except set over returning"
  ).split(" "),
);
