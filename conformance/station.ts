/**
 * One reader between two proxies, and what it does.
 *
 * States: opened -> warm (it has answered a value from the cache without asking a coordinator) -> closed. A station
 * that must not become warm is asked without `warmUp`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { canonical } from '@lockstep/checkers';
import { type JsonObject, jsonText } from '@lockstep/shared';
import { cacheKeyOf, entryText, type EntryParts } from './entries.ts';
import type { Findings, Rule } from './findings.ts';
import { CacheProxy, type SeenCommand } from './proxies/cache-proxy.ts';
import { CoordinatorProxy, type SeenRequest } from './proxies/coordinator-proxy.ts';
import {
  type Answer,
  type Asked,
  type Description,
  type KeyPart,
  NO_ANSWER,
  ReaderProcess,
} from './reader-process.ts';
import type { Servers, TrueRow } from './servers.ts';
import type { ShopResource } from './shop.ts';

/** A read, with what was seen while it lasted. */
export interface Read {
  answer: Answer;
  asked: readonly SeenRequest[];
  commands: readonly SeenCommand[];
}

/** A row that is in the database, and its place in the cache. */
export interface Row extends TrueRow {
  resource: ShopResource;
  key: readonly KeyPart[];
  cacheKey: string;
}

/** By then a reader has heard of what the list of resources says. */
export const HEARD_WITHIN_MS = 15_000;

/** It never answered from the cache, so that nothing can be told of it. */
export class NotReadingError extends Error {}

const WARM_UP_MS = 20_000;
const PAUSE_MS = 40;
const SECONDS = 60;

export class Station {
  readonly servers: Servers;
  readonly findings: Findings;
  readonly cache: CacheProxy;
  readonly coordinator: CoordinatorProxy;
  readonly reader: ReaderProcess;
  readonly has: ReadonlySet<string>;

  private constructor(
    { servers, findings }: Pick<StationOptions, 'servers' | 'findings'>,
    proxies: { cache: CacheProxy; coordinator: CoordinatorProxy },
    reader: ReaderProcess,
    { has }: Description,
  ) {
    this.servers = servers;
    this.findings = findings;
    this.cache = proxies.cache;
    this.coordinator = proxies.coordinator;
    this.reader = reader;
    this.has = has;
  }

  static async open(options: StationOptions): Promise<Station> {
    const { servers, command, redis = servers.addresses.redis, refreshMs } = options;
    const { url, token } = servers.addresses;
    const coordinator = await CoordinatorProxy.open(url);
    const cache = await CacheProxy.open(redis);
    options.prepare?.(coordinator, cache);
    const reader = new ReaderProcess(command, {
      ...{ url: coordinator.url, token, redis: cache.url },
      ...(refreshMs === undefined ? {} : { refreshMs }),
    });
    try {
      return new Station(options, { coordinator, cache }, reader, await reader.describe());
    } catch (error) {
      await Promise.all([reader.close(), cache.close(), coordinator.close()]);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.reader.close();
    await Promise.all([this.cache.close(), this.coordinator.close()]);
  }

  /**
   * Waits until it reads the cache.
   * @param place puts the entry of the row that is asked for; default: into the coordinators' cache
   * @throws NotReadingError where it does not within 20 s
   */
  async warmUp(place?: (cacheKey: string, text: string) => Promise<unknown>): Promise<void> {
    const row = await this.row('profile', { note: 'in the database' });
    const { redis } = this.servers;
    const put = place ?? ((key: string, text: string) => redis.set(key, text, 'EX', SECONDS));
    const text = this.entry(row, {
      version: 9,
      body: { ...(row.value as JsonObject), note: 'warm' },
    });
    const untilMs = performance.now() + WARM_UP_MS;
    for (;;) {
      // Whenever the coordinator was asked, it may have replaced it.
      await put(row.cacheKey, text);
      const { answer, asked } = await this.get(row);
      if (asked.length === 0 && 'value' in answer && answer.version === 9) return;
      if (performance.now() > untilMs)
        throw new NotReadingError(
          `A value was in the cache for ${WARM_UP_MS / 1000} s, and was never answered without asking the coordinator. The last answer: ${said(answer)}. ${this.#errorOutput}`,
        );
      await sleep(PAUSE_MS);
    }
  }

  /** A new row. Its key is a number that nothing else uses, unless it is given. */
  async row(
    resource: ShopResource,
    value: JsonObject,
    key: readonly KeyPart[] = [this.servers.newId()],
    texts: readonly string[] = key.map(String),
  ): Promise<Row> {
    const written = await this.servers.write(resource, key, value);
    const cacheKey = cacheKeyOf(this.servers.resource(resource), texts);
    return { ...written, resource, key, cacheKey };
  }

  /** The text of an entry of the row's resource. */
  entry({ resource }: Pick<Row, 'resource'>, parts: EntryParts): string {
    return entryText(this.servers.resource(resource), parts);
  }

  /** Puts an entry of the row into the cache. */
  async put(row: Row, parts: EntryParts): Promise<void> {
    await this.servers.redis.set(row.cacheKey, this.entry(row, parts), 'EX', SECONDS);
  }

  /** Puts an entry into the cache whose row differs from the database's, and answers that row. */
  async putMarked(row: Row, parts: EntryParts = {}): Promise<TrueRow> {
    const { version = row.version ?? 1 } = parts;
    const value = { ...(row.value as JsonObject), note: 'in the cache' };
    await this.put(row, { body: value, ...parts, version });
    return { value, version };
  }

  async get({ resource, key }: Pick<Row, 'resource' | 'key'>, session?: string): Promise<Read> {
    const [asked, commands] = [this.coordinator.asked.length, this.cache.commands.length];
    const wanted: Asked = { resource, key, ...(session === undefined ? {} : { session }) };
    const answer = await this.reader.get(wanted);
    return {
      answer,
      asked: this.coordinator.asked.slice(asked),
      commands: this.cache.commands.slice(commands),
    };
  }

  /**
   * The coordinator must have been asked, and its answer been given.
   * @param marked what the coordinator answers where it takes the entry for a value of its own
   */
  async expectCoordinator(
    rule: Rule,
    label: string,
    row: Row,
    marked: TrueRow = row,
  ): Promise<void> {
    const { answer, asked } = await this.get(row);
    if (asked.length === 0)
      this.broken(rule, `${label}: answered ${said(answer)} without asking the coordinator`);
    else if (!isRow(answer, row) && !isRow(answer, marked))
      this.broken(
        rule,
        `${label}: the coordinator was asked, and its row ${jsonText(row.value)} was answered as ${said(answer)}`,
      );
  }

  /** The value must be answered; that the coordinator is asked for it instead is against `reads`. */
  async expectCached(rule: Rule, label: string, row: Row, wanted: TrueRow): Promise<void> {
    const { answer, asked } = await this.get(row);
    if (asked.length > 0) this.broken('reads', `${label}: asked the coordinator for a value`);
    else if (!isRow(answer, wanted))
      this.broken(
        rule,
        `${label}: ${jsonText(wanted.value)} at version ${wanted.version} was answered as ${said(answer)}`,
      );
  }

  broken(rule: Rule, seen: string): void {
    const why = seen.includes(NO_ANSWER) ? ` ${this.#errorOutput}` : '';
    this.findings.broken(rule, seen + why);
  }

  /** Whether it has been told the list of resources since they were told this often, and had time to act on it. */
  wasToldAgain(told: number): boolean {
    return this.coordinator.catalogsAnswered > told + 1;
  }

  /** Whether it comes true in this time. */
  async within(ms: number, look: () => Promise<boolean>): Promise<boolean> {
    const untilMs = performance.now() + ms;
    while (!(await look())) {
      if (performance.now() > untilMs) return false;
      await sleep(PAUSE_MS);
    }
    return true;
  }

  get #errorOutput(): string {
    const text = this.reader.errorOutput.trim();
    return text === '' ? '' : `Its error output ends with: ${text.slice(-500)}`;
  }
}

export interface StationOptions {
  servers: Servers;
  findings: Findings;
  /** A command line that starts the reader. */
  command: string;
  /** The server of Redis behind the proxy; default: the coordinators' cache. */
  redis?: string;
  /** How often the reader is to ask for the resources. */
  refreshMs?: number;
  /** Called before the reader is started. */
  prepare?: (coordinator: CoordinatorProxy, cache: CacheProxy) => void;
}

/** Whether the answer is this row. Of a query a version is not told. */
export function isRow(answer: Answer, { value, version }: TrueRow): boolean {
  return (
    'value' in answer && answer.version === version && canonical(answer.value) === canonical(value)
  );
}

/** An answer as a person reads it. */
export function said(answer: Answer): string {
  if ('error' in answer) return `the error ${answer.error}`;
  if ('absent' in answer) return '"absent"';
  return `${jsonText(answer.value).slice(0, 200)} at version ${answer.version}`;
}
