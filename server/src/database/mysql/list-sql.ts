import { type CompiledSql, compileSql, renderSql } from '../statements/sql-text.ts';

/** A statement that has a list in it, compiled once for each length of the list: that costs more than sending it. */
export class ListSql {
  readonly #template: string;
  readonly #fragments: Readonly<Record<string, string>>;
  readonly #fragment: string;
  readonly #item: (index: number) => string;
  readonly #compiled = new Map<number, CompiledSql>();

  /**
   * @param fragment the name of the list's place in the template
   * @param item the item at an index, with its placeholders
   * @param fragments the template's others
   */
  constructor(
    template: string,
    fragment: string,
    item: (index: number) => string,
    fragments: Readonly<Record<string, string>> = {},
  ) {
    this.#template = template;
    this.#fragment = fragment;
    this.#item = item;
    this.#fragments = fragments;
  }

  ofLength(length: number): CompiledSql {
    let compiled = this.#compiled.get(length);
    if (compiled === undefined) {
      const items = Array.from({ length }, (_, index) => this.#item(index)).join(', ');
      const fragments = { ...this.#fragments, [this.#fragment]: items };
      compiled = compileSql('mysql2', renderSql(this.#template, fragments));
      this.#compiled.set(length, compiled);
    }
    return compiled;
  }
}
