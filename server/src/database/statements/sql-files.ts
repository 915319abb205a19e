/**
 * The statements of a capability, whichever database they are run on.
 *
 * A capability's own file holds the statements that all databases share. It is written for PostgreSQL, and each database
 * spells it in its own words: casts, quoted names, upserts, and the fragments `{{clock}}` (the time now), `{{nowMs}}` (the
 * same in milliseconds since 1970), `{{ageMs column}}` (milliseconds since a time) and `{{returningId}}` (the id of an
 * insert). A statement whose databases differ in more than this has a text in the file of each, in `dialects`.
 */
import { byName, type NamedTexts, parseNamedSql, refuseUnused, textOf } from './named-sql.ts';
import type { Spelling } from './spelling.ts';

/** What a database gives for these statements. */
export interface FileDialect {
  readonly spelling: Spelling;
  /** The texts of its own SQL files, by the files' names without their ending. */
  readonly sqlFiles: Readonly<Record<string, string>>;
}

export interface SqlFileOptions<Name extends string, Optional extends string> {
  /** Of the file in each database's folder. */
  name: string;
  /** The text of the file that all databases share. */
  shared?: string;
  /** The statements that every database has. */
  names: readonly Name[];
  /** Those that a database may lack: `hasStatement` tells. */
  optional?: readonly Optional[];
}

/** The statements of one name in a capability's folder and in those of the databases. */
export class SqlFile<Name extends string = string, Optional extends string = never> {
  readonly name: string;
  readonly #shared: NamedTexts;
  readonly #names: readonly Name[];
  readonly #optional: readonly Optional[];
  readonly #texts = new WeakMap<FileDialect, NamedTexts>();

  constructor({ name, shared = '', names, optional = [] }: SqlFileOptions<Name, Optional>) {
    this.name = name;
    this.#shared = parseNamedSql(shared);
    this.#names = names;
    this.#optional = optional;
  }

  get statements(): Record<Name | Optional, NamedStatement> {
    return byName([...this.#names, ...this.#optional], (name) => new NamedStatement(this, name));
  }

  /** The texts for a database. @throws Error where both files have one of the same name */
  textsFor(dialect: FileDialect): NamedTexts {
    const texts = this.#texts.get(dialect) ?? this.#together(dialect);
    this.#texts.set(dialect, texts);
    return texts;
  }

  /** @throws Error where the database lacks a statement, or has one that nobody uses */
  check(dialect: FileDialect): void {
    const texts = this.textsFor(dialect);
    refuseUnused(texts, [...this.#names, ...this.#optional]);
    for (const name of this.#names) textOf(texts, name);
  }

  #together({ spelling, sqlFiles }: FileDialect): NamedTexts {
    const own = parseNamedSql(sqlFiles[this.name] ?? '');
    for (const name of this.#shared.keys())
      if (own.has(name)) throw new Error(`Two files have the statement ${name} of ${this.name}`);
    const spelled = [...this.#shared].map(
      ([name, text]) => [name, spelling.ofShared(text)] as const,
    );
    return new Map([...spelled, ...own]);
  }
}

export class NamedStatement {
  readonly #file: Pick<SqlFile, 'textsFor'>;
  readonly #name: string;

  constructor(file: Pick<SqlFile, 'textsFor'>, name: string) {
    this.#file = file;
    this.#name = name;
  }

  /** Undefined where the database has no such statement. */
  textFor(dialect: FileDialect): string | undefined {
    return this.#file.textsFor(dialect).get(this.#name);
  }
}

/** Every file that a capability reads. */
const used: Pick<SqlFile, 'name' | 'check'>[] = [];

/** The statements of a capability's file. What is wrong with them is found when a database is opened. */
export function readStatements<Name extends string, Optional extends string = never>(
  { name, shared = '' }: { name: string; shared?: string },
  names: readonly Name[],
  optional: readonly Optional[] = [],
): Record<Name | Optional, NamedStatement> {
  const file = new SqlFile({ name, shared, names, optional });
  if (used.some((other) => other.name === name)) throw new Error(`Two capabilities read ${name}`);
  used.push(file);
  return file.statements;
}

/**
 * Whether a database has every statement that is used, and no other one.
 * @throws Error that names what is wrong
 */
export function checkStatements(dialect: FileDialect): void {
  for (const file of used) file.check(dialect);
}

/** The files that a database has and no capability reads. */
export const unusedFiles = ({ sqlFiles }: FileDialect): string[] =>
  Object.keys(sqlFiles).filter((name) => !used.some((file) => file.name === name));
