/** What the event `outbox` tells, in words: the relay, the change log, refreshed tables, switches of policies. */
import type { OutboxEvent } from '@lockstep/shared';
import { changeLogRemarks } from './change-log-text.ts';
import { countOf, durationText } from './format.ts';
import { refreshRemarks } from './refresh-text.ts';
import { switchRemarks } from './switch-text.ts';
import type { Remark } from './remark.ts';

const OUTBOX_OLD_MS = 15_000;

/** What is worth saying of it; nothing where all is well. */
export function outboxRemarks(event: OutboxEvent): Remark[] {
  return [
    ...ofRelay(event),
    ...(event.changeLog ? changeLogRemarks(event.changeLog) : []),
    ...refreshRemarks(event.refreshes ?? [], event.atMs),
    ...switchRemarks(event.switches ?? []),
  ];
}

function ofRelay(event: OutboxEvent): Remark[] {
  const remarks: Remark[] = [];
  if (event.blocked !== null) {
    remarks.push({
      level: 'act',
      what: 'The outbox relay is blocked',
      safe: `${event.blocked}. ${countOf(event.depth, 'invalidation')} wait in the database and lose nothing by waiting.`,
      href: '#/',
    });
  } else if (event.oldestMs !== null && event.oldestMs > OUTBOX_OLD_MS) {
    remarks.push({
      level: 'watch',
      what: `The outbox is behind by ${durationText(event.oldestMs)}`,
      safe: `${countOf(event.depth, 'invalidation')} wait. Some reads may be that old; the relay is working on it.`,
      href: '#/',
    });
  }
  if (event.deadLetters > 0) {
    remarks.push({
      level: 'act',
      what: `${countOf(event.deadLetters, 'invalidation')} gave up`,
      safe: 'Those keys may answer an old value until their TTL ends. Retrying is always safe; an audit repairs them too.',
      href: '#/?panel=dead',
    });
  }
  return remarks;
}
