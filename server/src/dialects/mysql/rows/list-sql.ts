import type { SentSql } from '../../../database/connections/driver.ts';
import { compileSql, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { MYSQL } from '../spelling.ts';

/**
 * A statement whose only values are those of a list's items. Its text is made once for each length of the list, because
 * making it costs more than sending it.
 */
export class ListSql {
  readonly #template: string;
  readonly #list: string;
  readonly #item: string;
  readonly #fragments: Readonly<Record<string, string>>;
  readonly #texts = new Map<number, string>();

  /**
   * @param list the fragment of the template that the list stands for
   * @param item one item, with the driver's placeholders (`?`)
   * @param fragments the template's others
   */
  constructor(
    template: string,
    list: string,
    item: string,
    fragments: Readonly<Record<string, string>> = {},
  ) {
    this.#template = template;
    this.#list = list;
    this.#item = item;
    this.#fragments = fragments;
  }

  /** @param values those of all items, one after another */
  send(length: number, values: readonly SqlValue[]): SentSql {
    let text = this.#texts.get(length);
    if (text === undefined) {
      const items = new Array<string>(length).fill(this.#item).join(', ');
      const sql = renderSql(this.#template, { ...this.#fragments, [this.#list]: items });
      text = compileSql(MYSQL, sql).text;
      this.#texts.set(length, text);
    }
    return { text, values };
  }

  /** @param valuesOf the values of one item */
  sendEach<Item>(items: readonly Item[], valuesOf: (item: Item) => readonly SqlValue[]): SentSql {
    return this.send(items.length, items.flatMap(valuesOf));
  }
}
