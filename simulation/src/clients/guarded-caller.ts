/** A caller with a transaction of its own under guards, which commits, rolls back, comes back late or dies. */
import { isJsonObject, type JsonValue, type Row } from '@lockstep/shared';
import { type Key, LockstepError } from '../../../server/src/domain/index.ts';
import type { GuardGrant } from '../../../server/src/guards/index.ts';
import type { ClientAction } from '../plan/plan.ts';
import type { GuardedChange } from '../servers/guarded-transactions.ts';
import type { Transaction } from '../servers/key-locks.ts';
import type { CoordinatorProcess } from '../world/coordinator-process.ts';
import { type Caller, Unanswered } from '../world/network.ts';
import { keyNamed, TABLE_RULES } from '../world/resources.ts';
import { TIMING } from '../world/timing.ts';
import type { World } from '../world/world.ts';
import { askCoordinator } from './ask.ts';
import type { Told, WriteTold } from './client-history.ts';
import type { BegunWrite, Judge } from './judge.ts';
import { toldBy } from './told.ts';
import { writeOf } from './writes.ts';

type GuardAction = Extract<ClientAction, { do: 'guard' }>;

interface GuardedCallerOptions {
  world: World;
  judge: Judge;
  /** Of the client. */
  number: number;
  hopMs: () => number;
}

/** How its transaction ended, as far as the caller knows. */
type Ended = 'committed' | 'not-committed' | 'unknown';

/** What the caller is told of each key. */
type ToldOfKeys = Told<ReadonlyMap<string, { version: number; cache: WriteTold['cache'] }>>;

/** It died, or does not know what to tell. */
const UNTOLD: ToldOfKeys = { status: 'unknown', code: 'NOT_TOLD' };

/** Links of clients, beyond those of coordinators and services. */
const FIRST_LINK = 100;

export class GuardedCaller {
  readonly #options: GuardedCallerOptions;
  readonly #link: Caller;

  constructor(options: GuardedCallerOptions) {
    const { world, number } = options;
    this.#options = options;
    this.#link = {
      ...{ name: `client ${number}`, index: FIRST_LINK + number, isGone: false },
      deliver: (run) => run(),
      timeout: (delayMs, run) => world.scheduler.after(delayMs, run),
    };
  }

  /** @returns the versions that it was told of */
  async run(
    action: GuardAction,
    mark: string,
    coordinator: number,
  ): Promise<(readonly [Key, number])[]> {
    const { world, judge, number } = this.#options;
    const keys = action.keys.map((name) => keyNamed(world.resources, name));
    const granted = await toldBy(
      this.#ask(coordinator, `guard ${action.keys.join(' ')}`, ({ engine }) =>
        engine.guards.take(keys, action.ttlMs),
      ),
    );
    if (granted.status !== 'ok') return [];
    const grant = granted.answer;
    const changes = grant.keys.map(({ key, fence }): GuardedChange => ({
      key,
      fence,
      change: putOf(key, mark),
    }));
    const begun = judge.beginTransaction(changes, { by: number, way: { coordinator } });
    const ended = await this.#transaction(action, changes);
    const tellsTo = action.tellsAnother ? (coordinator + 1) % world.coordinators : coordinator;
    const isDead = action.ends === 'die' || action.ends === 'commit-and-die';
    const told = isDead ? UNTOLD : await this.#tell(grant, ended, tellsTo);
    for (const write of begun) judge.endWrite(write, toldOfKey(told, write, mark));
    if (told.status !== 'ok') return [];
    return keys.map((key) => [key, told.answer.get(key.cacheKey)?.version ?? 0] as const);
  }

  /** `lockstep_guard` for each key in one order, the changes, and the end of the transaction. */
  async #transaction(action: GuardAction, changes: readonly GuardedChange[]): Promise<Ended> {
    const { world } = this.#options;
    const { guarded } = world.database;
    const transaction: Transaction = { isOver: false };
    const rollBack = (): void => world.database.rollBack(transaction);
    const server = world.server('database');
    await this.#pause(action.thinkMs);
    // A database that goes down rolls back what is open.
    server.exchanges.add(rollBack);
    try {
      if (world.callsGuards) {
        for (const each of inOrder(changes)) {
          const called = await this.#send(`lockstep_guard ${each.fence}`, each.key.cacheKey, () =>
            guarded.guard(each, transaction),
          );
          if (called === 'admitted') continue;
          await this.#send('roll-back', each.key.cacheKey, rollBack);
          return 'not-committed';
        }
      }
      await this.#pause(action.holdMs);
      const names = changes.map(({ key }) => key.cacheKey).join(' ');
      if (action.ends === 'die') {
        this.#abandon(rollBack);
        return 'unknown';
      }
      if (action.ends === 'roll-back') {
        await this.#send('roll-back', names, rollBack);
        return 'not-committed';
      }
      const commit = (): Ended => {
        if (transaction.isOver) return 'not-committed';
        if (world.callsGuards) guarded.commit(changes, transaction);
        else guarded.commitUnguarded(changes, transaction);
        return 'committed';
      };
      return await this.#commit(names, commit, rollBack);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      // Its commit was not sent: nothing of it can be applied.
      this.#abandon(rollBack);
      return 'not-committed';
    } finally {
      server.exchanges.delete(rollBack);
    }
  }

  async #commit(names: string, commit: () => Ended, rollBack: () => void): Promise<Ended> {
    try {
      return await this.#send('commit', names, commit);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.#abandon(rollBack);
      return error.why === 'refused' ? 'not-committed' : 'unknown';
    }
  }

  /** Its connection is closed; the database notices that later. */
  #abandon(rollBack: () => void): void {
    this.#options.world.scheduler.after(TIMING.goneMs, rollBack);
  }

  /** One who does not know whether the transaction has committed tells that it was rolled back, and is told the truth. */
  async #tell({ id, keys }: GuardGrant, ended: Ended, coordinator: number): Promise<ToldOfKeys> {
    try {
      if (ended === 'committed') {
        const results = await this.#ask(coordinator, `commit of guard ${id}`, ({ engine }) =>
          engine.guards.commit(id),
        );
        const each = results.map(
          ({ key, version, cache }) => [key.cacheKey, { version, cache }] as const,
        );
        return { status: 'ok', answer: new Map(each) };
      }
      await this.#ask(coordinator, `rollback of guard ${id}`, ({ engine }) =>
        engine.guards.rollback(id),
      );
      return { status: 'failed', code: 'ROLLED_BACK' };
    } catch (error) {
      // Whoever does not answer, or knows nothing of the guard, has not said what became of the transaction.
      if (error instanceof Unanswered) return UNTOLD;
      if (!(error instanceof LockstepError)) throw error;
      if (error.code === 'UNKNOWN_GUARD') return UNTOLD;
      if (error.code !== 'GUARD_LOST') return { status: 'unknown', code: error.code };
      if (error.outcome !== 'applied') return { status: 'failed', code: error.code };
      return { status: 'ok', answer: appliedIn(error, keys) };
    }
  }

  #send<T>(name: string, about: string, step: () => T | Promise<T>): Promise<T> {
    const { world } = this.#options;
    const message = { name, about, timeoutMs: TIMING.databaseMs, repeatable: false };
    return world.network.call(
      this.#link,
      world.server('database'),
      { ...message, ordered: false },
      step,
    );
  }

  #ask<T>(
    coordinator: number,
    what: string,
    run: (process: CoordinatorProcess) => Promise<T>,
  ): Promise<T> {
    const { world, number, hopMs } = this.#options;
    return askCoordinator(world, coordinator, { name: `client ${number}`, hopMs, what, run });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.world.scheduler.after(delayMs, resolve));
  }
}

const putOf = (key: Key, mark: string): GuardedChange['change'] =>
  writeOf({ do: 'put' }, key, mark, 0).change;

/** Callers lock their rows in one order, so that no two wait for each other. */
const inOrder = (changes: readonly GuardedChange[]): GuardedChange[] =>
  [...changes].sort((one, other) => (one.key.cacheKey < other.key.cacheKey ? -1 : 1));

/** What `GUARD_LOST` says of a transaction that has committed. */
function appliedIn(
  { details }: LockstepError,
  keys: GuardGrant['keys'],
): ReadonlyMap<string, { version: number; cache: WriteTold['cache'] }> {
  const results = Array.isArray(details['results']) ? (details['results'] as JsonValue[]) : [];
  const each = results.flatMap((result) => {
    if (!isJsonObject(result)) return [];
    const found = keys.find(
      ({ key }) => key.resource.name === result['resource'] && key.text === String(result['key']),
    );
    if (found === undefined) return [];
    // Whoever answers for a guard that ran out may leave its entry to a recovery.
    return [
      [found.key.cacheKey, { version: Number(result['version']), cache: 'pending' }] as const,
    ];
  });
  return new Map(each);
}

/** The answer for one key. Its put says what the whole row is. */
function toldOfKey(told: ToldOfKeys, { key }: BegunWrite, mark: string): Told<WriteTold> {
  if (told.status !== 'ok') return told;
  const answer = told.answer.get(key.cacheKey);
  if (answer === undefined) return { status: 'failed', code: 'NOT_IN_ANSWER' };
  const value: Row = { id: Number(key.text), ...TABLE_RULES.defaults, mark };
  return { status: 'ok', answer: { ...answer, value, replayed: false } };
}
