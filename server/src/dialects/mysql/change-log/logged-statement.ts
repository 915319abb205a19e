/**
 * Works out which rows a statement that is logged as text may have changed. Only its first words and the names in it
 * are read; a statement that is not understood counts as a change of every table.
 */

/**
 * `nothing`: no rows. `tables`, `databases`: rows of the tables or databases that it names. `any`: rows of any table,
 * also through views, triggers and routines. `isChange`: it came from a session that does not log rows.
 */
export type StatementReach =
  { reach: 'nothing' | 'tables' | 'databases' } | { reach: 'any'; isChange: boolean };

/** Comments that MySQL executes. */
const EXECUTED_COMMENT = /\/\*[!M]+\d*\s?([^]*?)\*\//g;
const COMMENT = /\/\*[^]*?\*\/|--(?=\s|$)[^\n]*|#[^\n]*/g;

const NO_ROWS = [
  /^(begin|start transaction|savepoint|release savepoint|rollback to|xa|set|use|flush|grant|revoke|show)\b/,
  /^analyze( local| no_write_to_binlog)? table\b/,
  /^(create|alter|drop|rename|set)( or replace)?( if (not )?exists)? (user|role|server|resource|tablespace|logfile)\b/,
  /^(create|alter)( or replace)? (database|schema)\b/,
  /^(create|alter|drop)( or replace)?( definer ?= ?\S+)?( aggregate)?( sql security \w+)?( algorithm ?= ?\w+)*( temporary)? ?(view|trigger|procedure|function|event|sequence|package)\b/,
  /^(create|drop) temporary table\b/,
];
const OF_TABLES =
  /^(create( or replace)?|alter( online| offline)?( ignore)?|drop|truncate|rename|optimize|repair) (unique |fulltext |spatial )?(table|tables|index)\b|^truncate\b/;
const OF_DATABASE = /^drop (database|schema)\b/;
const CHANGES_ROWS =
  /^(insert|update|delete|replace|load|call|with|merge|values|select|execute|analyze|do)\b/;

export function reachOf(query: string): StatementReach {
  const text = query
    .replace(EXECUTED_COMMENT, ' $1 ')
    .replace(COMMENT, ' ')
    .trim()
    .replace(/\s+/g, ' ')
    .toLowerCase();
  if (NO_ROWS.some((pattern) => pattern.test(text))) return { reach: 'nothing' };
  if (OF_TABLES.test(text)) return { reach: 'tables' };
  if (OF_DATABASE.test(text)) return { reach: 'databases' };
  return { reach: 'any', isChange: CHANGES_ROWS.test(text) };
}

/**
 * Whether the statement can have changed rows of the table.
 * @param schema the session's database, to which names without a database belong. It may be another one than ours
 */
export function canChange(
  { reach }: StatementReach,
  { query, schema }: { query: string; schema: string },
  { database, relation }: { database: string; relation: string },
): boolean {
  if (reach === 'nothing' || reach === 'any') return reach === 'any';
  if (reach === 'databases') return contains(query, database);
  const isAtHome = schema.toLowerCase() === database.toLowerCase() || contains(query, database);
  return namesTable(query, { database, relation, isAtHome });
}

/**
 * Matches the end of `database.` before a table's name, if a database is certainly named there: `.name` alone is a name
 * without a database.
 */
const QUALIFIER = /[\w$\u0080-\uffff]([`"][ \t]*)?\.[ \t]*[`"]?$/;
const WORD = /[\w$\u0080-\uffff]/;
/** Without digits, because digits before a word may begin a comment that the server executes (`/*!40000t`). */
const LETTER = /[a-z_$\u0080-\uffff]/;

/**
 * Whether the statement names the table, or contains a name that may be the table's.
 * @param table.isAtHome whether a name without a database can be this table's
 */
function namesTable(
  query: string,
  { database, relation, isAtHome }: { database: string; relation: string; isAtHome: boolean },
): boolean {
  const text = query.toLowerCase();
  return spellings(relation).some((name) =>
    placesOf(text, name).some((at) => {
      const isInWord =
        (LETTER.test(text.charAt(at - 1)) && WORD.test(name.charAt(0))) ||
        (WORD.test(name.slice(-1)) && WORD.test(text.charAt(at + name.length)));
      if (isInWord) return false;
      const before = text.slice(0, at);
      const qualifier = QUALIFIER.exec(before);
      if (qualifier === null) return isAtHome;
      const owner = before.slice(0, qualifier.index + 1);
      return spellings(database).some((each) => owner.endsWith(each));
    }),
  );
}

function placesOf(text: string, name: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) places.push(at);
  return places;
}

/** Whether the text contains the name anywhere, even by chance. */
function contains(query: string, name: string): boolean {
  const text = query.toLowerCase();
  return spellings(name).some((each) => text.includes(each));
}

/** The ways in which a statement can write the name, in small letters: as it is, and between backticks. */
function spellings(name: string): string[] {
  const lower = name.toLowerCase();
  return [...new Set([lower, lower.replaceAll('`', '``')])];
}
