import { type Channel, channel } from 'node:diagnostics_channel';
import type { ErrorCode, Outcome } from './errors.ts';
import type { MissReason } from './entry-reader.ts';

/** What the client tells on `node:diagnostics_channel`, by the channel's name. */
export interface ClientEvents {
  /** A read was answered from memory or the cache, or is going to the coordinator and why. */
  'lockstep:read': {
    resource: string;
    from: 'local' | 'cache' | 'coordinator';
    reason?: MissReason | 'older' | 'unread' | 'asked';
  };
  /**
   * A computed resource was asked for.
   *   hit        the cache had the value
   *   filled     a loader ran, and its answer is cached
   *   refused    a loader ran, and its answer is not cached: something that it depends on has changed meanwhile
   *   failed     the same, for the cache did not answer; or a refresh in the background has failed
   *   too-large  the same, for the answer is larger than 1 MiB
   *   unfilled   a loader runs without a lease: the cache is away, or another process takes too long
   *   stale      a loader failed, and the value before was answered
   */
  'lockstep:computed': {
    resource: string;
    event: 'hit' | 'filled' | 'refused' | 'failed' | 'too-large' | 'unfilled' | 'stale';
  };
  /**
   * What is kept in memory (level `local`).
   *   confirmed  all messages of before were handled. `lagMs`: how old an answer from memory could be just before that;
   *              null: none was given
   *   emptied    values were forgotten, of one resource or of all (null), and why
   *     told          the coordinators have swept or replaced the resource's entries
   *     gap           a message was missed, or the stream is gone
   *     lag           no look was answered within `maxLagMs`
   *     disconnected  the connection failed; `reason` says how
   *     catalog       the resource is another one than before, or is not kept in memory any more
   *     closed        the client was closed
   */
  'lockstep:local':
    | { event: 'confirmed'; lagMs: number | null; bytes: number; entries: number }
    | {
        event: 'emptied';
        resource: string | null;
        why: 'told' | 'gap' | 'lag' | 'disconnected' | 'catalog' | 'closed';
        reason?: string;
      };
  /** A batch of operations was answered, or failed. */
  'lockstep:batch': {
    kind: 'reads' | 'writes';
    operations: number;
    durationMs: number;
    failed: boolean;
  };
  /** An operation ended. */
  'lockstep:operation': {
    op: string;
    resource: string;
    durationMs: number;
    attempts: number;
    code: ErrorCode | null;
    outcome: Outcome | null;
  };
  /** An operation will be tried again. */
  'lockstep:retry': {
    op: string;
    resource: string;
    code: ErrorCode;
    attempt: number;
    waitMs: number;
  };
  /** Direct reads begin or end. */
  'lockstep:redis': { state: 'up' | 'down'; reason: string | null };
  /** The resources were asked for. */
  'lockstep:catalog': { ok: boolean; resources: number; reason: string | null };
  'lockstep:lease': {
    state: 'held' | 'renewed' | 'lost' | 'released';
    resource: string;
    id: string;
  };
  /**
   * A guard. `untold`: its transaction has committed, and no coordinator could be told. Its keys stay hidden from the
   * cache until a coordinator has found out.
   */
  'lockstep:guard': {
    state: 'held' | 'committed' | 'rolled-back' | 'untold';
    resource: string;
    id: string;
  };
}

export type EventName = keyof ClientEvents;

const channels = new Map<EventName, Channel>();

export function channelOf(name: EventName): Channel {
  let found = channels.get(name);
  if (found === undefined) channels.set(name, (found = channel(name)));
  return found;
}

const READ = channelOf('lockstep:read');
/** Whether anyone listens to the event that is told most often. */
export const isReadObserved = (): boolean => READ.hasSubscribers;

/** Tells whoever listens. What a listener throws does not reach the caller: Node reports it as uncaught. */
export function tell<Name extends EventName>(name: Name, event: ClientEvents[Name]): void {
  const to = channelOf(name);
  if (to.hasSubscribers) to.publish(event);
}
