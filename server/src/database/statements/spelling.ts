/** How a database spells what is in every statement. */
export interface Spelling {
  /** What stands around a quoted name, and twice within one. */
  readonly quote: string;
  /**
   * Finds the parts of a statement as the groups `quoted`, `comment` and `name` (of a `:name` placeholder). What stands in
   * quotes is found first, so that a name is never taken for a placeholder or a comment, no matter which characters it has.
   */
  readonly tokens: RegExp;
  /** The driver's placeholder of a name, which is noted in `order`. */
  placeholder(order: string[], name: string): string;
  /** A text of a shared SQL file in this database's words (`sql-files.ts`). */
  ofShared(text: string): string;
}
