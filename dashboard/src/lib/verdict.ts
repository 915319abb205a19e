/**
 * The verdict: from what the live stream says, what is wrong and what is safe to do, in words.
 *
 *   ok       all in step
 *   watch    something to know; nothing is lost and nobody has to act now
 *   act      someone has to do something
 *   unknown  not enough has arrived to say
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
import type { Remark } from './remark.ts';

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
 * Judges what has arrived. Remarks come with those to act on first. Rates are judged over `recent` points, the
 * last half minute: a verdict that comes and goes with every second tells nobody anything.
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

function ofNodes(event: NodesEvent): Remark[] {
  const bad = event.nodes.filter((node) => node.status === 'down');
  const slow = event.nodes.filter((node) => node.status === 'slow');
  const remarks = bad
    .filter((node) => node.kind !== 'lock')
    .map((node): Remark => ({ ...downMeaning(node), href: '#/' }));
  remarks.push(...ofLockNodes(event.nodes.filter((node) => node.kind === 'lock')));
  for (const node of slow) {
    remarks.push({
      level: 'watch',
      what: `${node.name} is slow`,
      safe: node.detail ?? 'It answers, late. Writes that use it take longer; none is lost.',
      href: '#/',
    });
  }
  return remarks;
}

/** A server whose name is only its kind is not called twice the same. */
const named = ({ kind, name }: NodeStatus): string => (kind === name ? kind : `${kind} ${name}`);

function downMeaning(node: NodeStatus): Omit<Remark, 'href'> {
  const also = node.detail === null ? '' : ` (${node.detail})`;
  switch (node.kind) {
    case 'database':
      return {
        level: 'act',
        what: `The ${named(node)} does not answer`,
        safe: `No write is applied; cached values still answer reads. Start it again: Lockstep reconnects by itself and nothing acknowledged is lost.${also}`,
      };
    case 'cache':
      return {
        level: 'act',
        what: `The ${named(node)} does not answer`,
        safe: `Strict writes are refused and change nothing. All other writes go on, and wait in the outbox; reads go to the database. Start it again: nothing is lost.${also}`,
      };
    case 'replica':
      return {
        level: 'watch',
        what: `${node.name} is not read`,
        safe: `The primary answers what it would have; nothing old is served. It is read again by itself when it is back.${also}`,
      };
    default:
      return {
        level: 'watch',
        what: `The coordinator ${node.name} does not answer`,
        safe: `The others take its share. Writes that it had under way are finished by recovery.${also}`,
      };
  }
}

function ofLockNodes(nodes: NodeStatus[]): Remark[] {
  const up = nodes.filter((node) => node.status !== 'down').length;
  if (up === nodes.length) return [];
  const names = nodes
    .filter((node) => node.status === 'down')
    .map((node) => node.name)
    .join(', ');
  if (up * 2 <= nodes.length) {
    return [
      {
        level: 'act',
        what: `No majority of lock nodes: ${up} of ${nodes.length} answer`,
        safe: `Strict writes are refused and change nothing; all other writes and all reads go on. Start ${names} again. Safety does not rest on locks, so nothing is half done.`,
        href: '#/',
      },
    ];
  }
  const spare = up - (Math.floor(nodes.length / 2) + 1);
  return [
    {
      level: 'watch',
      what: `${up} of ${nodes.length} lock nodes answer`,
      safe: `Locks work with the majority. ${spare > 0 ? `${spare} more may fail` : 'None more may fail'}: start ${names} again soon.`,
      href: '#/',
    },
  ];
}

function ofAudits(event: AuditEvent): Remark[] {
  const remarks: Remark[] = [];
  if (event.openFindings > 0) {
    remarks.push({
      level: 'act',
      what: `${countOf(event.openFindings, 'key')} disagree${event.openFindings === 1 ? 's' : ''} with the database`,
      safe: 'An audit found the drift and has not repaired it. Look at the findings; repairing compares versions, so it can’t undo a newer write.',
      href: '#/audits?status=open',
    });
  }
  const failed = event.runs.find((run) => run.status !== 'running');
  if (failed?.status === 'failed') {
    remarks.push({
      level: 'watch',
      what: `The last audit of ${failed.resource} failed`,
      safe: `${failed.error ?? 'It gave no reason'}. The next run starts afresh; nothing was changed by halves.`,
      href: '#/audits',
    });
  }
  const repaired = recentDrift(event);
  if (event.openFindings === 0 && repaired.length > 0) {
    remarks.push({
      level: 'watch',
      what: `Drift was found in ${repaired.join(', ')} and repaired`,
      safe: 'Nothing is left to do. If you did not expect it, some program writes behind Lockstep’s back.',
      href: '#/audits',
    });
  }
  return remarks;
}

function recentDrift(event: AuditEvent): string[] {
  return event.consistency
    .filter((resource) =>
      resource.windows.some((window) => window.windowMs <= 300_000 && window.drift > 0),
    )
    .map((resource) => resource.resource);
}

function ofLocks(event: LocksEvent): Remark[] {
  const longest = event.held.find((hold) => hold.heldMs > LONG_HOLD_MS && hold.purpose !== 'lease');
  if (longest === undefined) return [];
  const behind =
    longest.waiting > 0 ? ` ${countOf(longest.waiting, 'caller')} wait behind it.` : '';
  return [
    {
      level: 'watch',
      what: `${longest.resource}/${keyText(longest.key)} has been held for ${durationText(longest.heldMs)}`,
      safe: `${longest.instance} holds it for a ${longest.purpose}.${behind} Waiters give up by their own timeouts, and change nothing.`,
      href: '#/locks',
    },
  ];
}

function ofMetrics(points: readonly MetricsPoint[]): Remark[] {
  const remarks: Remark[] = [];
  const errors = mean(points.map((point) => point.errorsPerSecond));
  const requests =
    errors + mean(points.map((point) => point.writesPerSecond + point.readsPerSecond));
  if (errors >= 1 && errors / requests > ERROR_SHARE) {
    remarks.push({
      level: 'watch',
      what: `${percentText(errors / requests, 0)} of requests end in an error`,
      safe: 'Each answer says what became of its write; a refused one changed nothing.',
      href: '#/',
    });
  }
  const waits = points.flatMap((point) =>
    point.lockWaitP99Ms === null ? [] : [point.lockWaitP99Ms],
  );
  const waitMs = mean(waits);
  if (waitMs > LONG_WAIT_MS) {
    remarks.push({
      level: 'watch',
      what: `Writers wait up to ${durationText(waitMs)} for a lock`,
      safe: 'Some keys are written faster than one holder at a time allows. The hot keys say which.',
      href: '#/locks',
    });
  }
  return remarks;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function ofTtl(event: TtlEvent): Remark[] {
  const without = event.resources.filter((resource) => resource.withoutTtl > 0);
  if (without.length === 0) return [];
  const count = without.reduce((sum, resource) => sum + resource.withoutTtl, 0);
  return [
    {
      level: 'watch',
      what: `${countOf(count, 'cache entry', 'cache entries')} will never expire`,
      safe: `In ${without.map((resource) => resource.resource).join(', ')}. An audit finds and repairs such entries; nothing Lockstep writes is without a TTL, except an intent.`,
      href: '#/ttl',
    },
  ];
}
