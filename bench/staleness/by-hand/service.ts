import type { Reading } from '../contender.ts';
import type { ServiceOptions } from './protocol.ts';
import { ByHandServers } from './servers.ts';
import { type Strategy, strategyOf } from './strategies.ts';

/** A service that keeps its cache and its database in step by hand, by one strategy. */
export class ByHandService {
  readonly #servers: ByHandServers;
  readonly #strategy: Strategy;

  constructor(options: ServiceOptions) {
    this.#servers = new ByHandServers(options);
    this.#strategy = strategyOf(options, this.#servers);
  }

  async open(): Promise<void> {
    await this.#servers.open();
    this.#strategy.begin?.();
  }

  async read(key: number): Promise<Reading> {
    const { n, fromDatabase } = await this.#strategy.read(key);
    return { n, fromDatabase };
  }

  /** @returns the row's count of writes */
  write(key: number, value: number): Promise<number> {
    return this.#strategy.write(key, () => ({ column: 'value', value }), false);
  }

  /** @returns the row's count of writes */
  readThenWrite(key: number): Promise<number> {
    return this.#strategy.write(
      key,
      ({ counter }) => ({ column: 'counter', value: counter + 1 }),
      true,
    );
  }

  async close(): Promise<void> {
    await this.#strategy.close?.();
    await this.#servers.close();
  }
}
