/**
 * The verdict: one line that says, from the live stream, whether all is in step, and if not, what to do.
 *
 *   ok       all is in step
 *   watch    something to know; nothing is lost and nobody has to act now
 *   act      someone has to do something
 *   unknown  not enough events have arrived
 */
import type {
  AuditEvent,
  LiveEvents,
  LocksEvent,
  MetricsPoint,
  NodesEvent,
  NodeStatus,
  TtlEvent,
} from '@lockstep/shared';
import { countOf, durationText, percentText } from './format.ts';
import { keyText } from './keys.ts';
import { summarizeWindows } from './nines.ts';
import { outboxRemarks } from './outbox-text.ts';
import { act, watch, type Remark } from './remark.ts';

export type Level = 'ok' | 'watch' | 'act' | 'unknown';

export interface Verdict {
  level: Level;
  headline: string;
  detail: string;
  remarks: Remark[];
}

/** Live events that have arrived so far. */
export type Seen = Partial<LiveEvents>;

const LONG_HOLD_MS = 30_000;
const LONG_WAIT_MS = 1_000;
const ERROR_SHARE = 0.05;
const HOUR_MS = 3_600_000;

/**
 * The verdict on the events that have arrived. Remarks to act on come first. Rates are those of the `recent` points,
 * the last half minute, so that the verdict does not change every second.
 */
export function judge(seen: Seen, recent: readonly MetricsPoint[]): Verdict {
  if (seen.nodes === undefined && seen.metrics === undefined) {
    return {
      level: 'unknown',
      headline: 'Waiting for the first report',
      detail: 'Nothing has arrived from the coordinator yet.',
      remarks: [],
    };
  }
  const remarks = [
    ...(seen.nodes ? ofNodes(seen.nodes) : []),
    ...(seen.outbox ? outboxRemarks(seen.outbox) : []),
    ...(seen.audit ? ofAudits(seen.audit) : []),
    ...(seen.locks ? ofLocks(seen.locks) : []),
    ...ofMetrics(recent),
    ...(seen.ttl ? ofTtl(seen.ttl) : []),
  ].sort((a, b) => (a.level === b.level ? 0 : a.level === 'act' ? -1 : 1));
  const first = remarks[0];
  if (first === undefined) return allWell(seen);
  const others = remarks.length - 1;
  return {
    level: first.level,
    headline: first.what,
    detail: others === 0 ? first.safe : `${first.safe} Below: ${countOf(others, 'more remark')}.`,
    remarks,
  };
}

function allWell(seen: Seen): Verdict {
  const hour = (seen.audit?.consistency ?? []).flatMap((resource) =>
    resource.windows.filter((window) => window.windowMs === HOUR_MS),
  );
  const nodes = seen.nodes?.nodes ?? [];
  const up = nodes.length > 0 ? ` All ${nodes.length} servers answer.` : '';
  return {
    level: 'ok',
    headline: 'All in step',
    detail: `Database and cache agree: ${summarizeWindows(hour)}.${up}`,
    remarks: [],
  };
}

function ofNodes({ nodes }: NodesEvent): Remark[] {
  const others = nodes.filter(({ kind, status }) => kind !== 'lock' && status === 'down');
  const slow = nodes.filter(({ status }) => status === 'slow');
  const inPart = nodes.filter(
    ({ kind, status, detail }) => kind === 'cache' && status === 'up' && detail !== null,
  );
  return [
    ...others.map(ofDownNode),
    ...byGroup(nodes.filter(({ kind }) => kind === 'lock')).flatMap(ofLockNodes),
    ...inPart.map(({ name, detail }) =>
      act(
        `A part of the ${name} cannot be used`,
        `${detail ?? ''} Start its servers again: nothing is lost.`,
      ),
    ),
    ...slow.map(({ name, detail }) =>
      watch(
        `${name} is slow`,
        detail ?? 'It answers, but late. Writes that use it take longer; none is lost.',
      ),
    ),
  ];
}

function ofDownNode({ kind, name, detail }: NodeStatus): Remark {
  // If a server's name is the same as its kind, it is not repeated.
  const named = kind === name ? kind : `${kind} ${name}`;
  const also = detail === null ? '' : ` (${detail})`;
  switch (kind) {
    case 'database':
      return act(
        `The ${named} does not answer`,
        `No write is applied; cached values still answer reads. Start it again: Lockstep reconnects by itself and nothing acknowledged is lost.${also}`,
      );
    case 'cache':
      return act(
        `The ${named} does not answer`,
        `Strict writes are refused and change nothing. All other writes go on, and wait in the outbox; reads go to the database. Start it again: nothing is lost.${also}`,
      );
    case 'replica':
      return watch(
        `${name} is not read`,
        `The primary answers in its place; nothing old is served. It is read again by itself when it is back.${also}`,
      );
    default:
      return watch(
        `The coordinator ${name} does not answer`,
        `The others take its share. Recovery finishes the writes that it had in flight.${also}`,
      );
  }
}

/** The lock nodes that vote together, each such group for itself. */
function byGroup(nodes: NodeStatus[]): NodeStatus[][] {
  const groups = new Map<number | undefined, NodeStatus[]>();
  for (const node of nodes) groups.set(node.group, [...(groups.get(node.group) ?? []), node]);
  return [...groups.values()];
}

/** @param nodes that vote together */
function ofLockNodes(nodes: NodeStatus[]): Remark[] {
  const group = nodes[0]?.group;
  const ofGroup = group === undefined ? '' : ` of group ${group}`;
  const down = nodes.filter(({ status }) => status === 'down');
  if (down.length === 0) return [];
  const up = nodes.length - down.length;
  const names = down.map(({ name }) => name).join(', ');
  if (up * 2 <= nodes.length) {
    return [
      act(
        `No majority of lock nodes${ofGroup}: ${up} of ${nodes.length} answer`,
        `Strict writes${group === undefined ? '' : ' of the keys of this group'} are refused and change nothing; all other writes and all reads go on. Start ${names} again. Safety does not rest on locks, so nothing is half done.`,
      ),
    ];
  }
  const spare = up - (Math.floor(nodes.length / 2) + 1);
  return [
    watch(
      `${up} of ${nodes.length} lock nodes${ofGroup} answer`,
      `Locks work with the majority. ${spare > 0 ? `${spare} more may fail` : 'None more may fail'}: start ${names} again soon.`,
    ),
  ];
}

function ofAudits({ openFindings, runs, consistency }: AuditEvent): Remark[] {
  const remarks: Remark[] = [];
  if (openFindings > 0) {
    remarks.push(
      act(
        `${countOf(openFindings, 'key')} disagree${openFindings === 1 ? 's' : ''} with the database`,
        'An audit found the drift and has not repaired it. Look at the findings; repairing compares versions, so it can’t undo a newer write.',
        '#/audits?status=open',
      ),
    );
  }
  const last = runs.find(({ status }) => status !== 'running');
  if (last?.status === 'failed') {
    remarks.push(
      watch(
        `The last audit of ${last.resource} failed`,
        `${last.error ?? 'It gave no reason'}. The next run starts afresh; nothing was left half changed.`,
        '#/audits',
      ),
    );
  }
  const drifted = consistency
    .filter(({ windows }) =>
      windows.some(({ windowMs, drift }) => windowMs <= 300_000 && drift > 0),
    )
    .map(({ resource }) => resource);
  if (openFindings === 0 && drifted.length > 0) {
    remarks.push(
      watch(
        `Drift was found in ${drifted.join(', ')} and repaired`,
        'Nothing is left to do. If you did not expect it, some program writes behind Lockstep’s back.',
        '#/audits',
      ),
    );
  }
  return remarks;
}

function ofLocks({ held }: LocksEvent): Remark[] {
  const longest = held.find(({ heldMs, purpose }) => heldMs > LONG_HOLD_MS && purpose !== 'lease');
  if (longest === undefined) return [];
  const { resource, key, heldMs, instance, purpose, waiting } = longest;
  const behind = waiting > 0 ? ` ${countOf(waiting, 'caller')} wait behind it.` : '';
  return [
    watch(
      `${resource}/${keyText(key)} has been held for ${durationText(heldMs)}`,
      `${instance} holds it for a ${purpose}.${behind} Waiters give up by their own timeouts, and change nothing.`,
      '#/locks',
    ),
  ];
}

function ofMetrics(points: readonly MetricsPoint[]): Remark[] {
  const remarks: Remark[] = [];
  const errors = mean(points.map((point) => point.errorsPerSecond));
  const requests =
    errors + mean(points.map((point) => point.writesPerSecond + point.readsPerSecond));
  if (errors >= 1 && errors / requests > ERROR_SHARE) {
    remarks.push(
      watch(
        `${percentText(errors / requests, 0)} of requests end in an error`,
        'Each answer says what became of its write; a refused one changed nothing.',
      ),
    );
  }
  const waitMs = mean(points.map((point) => point.lockWaitP99Ms).filter((value) => value !== null));
  if (waitMs > LONG_WAIT_MS) {
    remarks.push(
      watch(
        `Writers wait up to ${durationText(waitMs)} for a lock`,
        'Some keys are written faster than one holder at a time allows. The hot keys say which.',
        '#/locks',
      ),
    );
  }
  return remarks;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function ofTtl({ resources }: TtlEvent): Remark[] {
  const without = resources.filter(({ withoutTtl }) => withoutTtl > 0);
  if (without.length === 0) return [];
  const count = without.reduce((sum, { withoutTtl }) => sum + withoutTtl, 0);
  return [
    watch(
      `${countOf(count, 'cache entry', 'cache entries')} will never expire`,
      `In ${without.map(({ resource }) => resource).join(', ')}. An audit finds and repairs such entries; nothing Lockstep writes is without a TTL, except an intent.`,
      '#/ttl',
    ),
  ];
}
