/** The content of the event `outbox` as text: the relay, the change log, refreshed tables, switches of policies. */
import type { ChangeLogStatus, OutboxEvent, RefreshStatus, SwitchStatus } from '@lockstep/shared';
import { agoText, countOf, durationText } from './format.ts';
import { act, watch, type Remark } from './remark.ts';

const OUTBOX_OLD_MS = 15_000;
/** A refresh of a small table takes seconds. After this time its coordinator has probably died. */
const STALLED_MS = 60_000;

/** A state in a word. */
export interface StateWord {
  tone: 'ok' | 'watch' | 'act' | 'info' | 'unknown';
  word: string;
  /** What it is doing, or what is wrong; empty if the word is enough. */
  detail: string;
}

/** Remarks about the event; empty if all is well. */
export function outboxRemarks(event: OutboxEvent): Remark[] {
  return [
    ...relayRemarks(event),
    ...(event.changeLog ? changeLogRemarks(event.changeLog) : []),
    ...refreshRemarks(event.refreshes ?? [], event.atMs),
    ...(event.switches ?? []).map(switchRemark),
  ];
}

function relayRemarks({ blocked, oldestMs, depth, deadLetters }: OutboxEvent): Remark[] {
  const remarks: Remark[] = [];
  const waiting = countOf(depth, 'invalidation');
  if (blocked !== null) {
    remarks.push(
      act(
        'The outbox relay is blocked',
        `${blocked}. ${waiting} wait in the database and lose nothing by waiting.`,
      ),
    );
  } else if (oldestMs !== null && oldestMs > OUTBOX_OLD_MS) {
    remarks.push(
      watch(
        `The outbox is behind by ${durationText(oldestMs)}`,
        `${waiting} wait. Some reads may be that old; the relay is working on it.`,
      ),
    );
  }
  if (deadLetters > 0) {
    remarks.push(
      act(
        `${countOf(deadLetters, 'invalidation')} gave up`,
        'Those keys may answer an old value until their TTL ends. Retrying is always safe; an audit repairs them too.',
        '#/?panel=dead',
      ),
    );
  }
  return remarks;
}

/** The state of the change log. It makes no difference whether this instance or another follows it. */
export function changeLogWord({ state }: ChangeLogStatus): StateWord {
  switch (state) {
    case 'waiting':
    case 'streaming':
      return { tone: 'ok', word: 'following', detail: '' };
    case 'sweeping':
    case 'behind':
      return { tone: 'watch', word: state, detail: '' };
    case 'away':
      return { tone: 'act', word: 'away', detail: '' };
  }
}

/** Remarks about the change log for the verdict; empty if all is well. */
export function changeLogRemarks(status: ChangeLogStatus): Remark[] {
  const { retainedWarning } = status;
  const kept =
    retainedWarning === null
      ? []
      : [
          watch(
            'The change log is read too slowly for the database',
            `It says: ${retainedWarning}.`,
          ),
        ];
  return [...progressRemarks(status), ...kept];
}

function progressRemarks({ state, detail, lagMs }: ChangeLogStatus): Remark[] {
  switch (state) {
    case 'waiting':
    case 'streaming':
      return detail === null
        ? []
        : [watch('The change log does not report every change of a table', `${detail}.`)];
    case 'sweeping':
      return [
        watch(
          'Changes that bypass Lockstep may have been missed',
          `${detail ?? 'Entries are being swept'}. Entries that may be old are removed; reads of them go to the database once.`,
        ),
      ];
    case 'behind':
      return [
        watch(
          `The change log is behind by ${durationText(lagMs)}`,
          'Rows that were changed by others may be served that old until it has caught up.',
        ),
      ];
    case 'away':
      return [
        act(
          'The change log is not followed',
          `${detail ?? 'The reason is in the log'}. Until it is, two kinds of changes are served old: writes by the policy change-log, and changes that bypass Lockstep. All other writes through Lockstep are safe.`,
        ),
      ];
  }
}

/** How long a run has been in flight; null if none is. */
function runningMs({ phase, startedAtMs }: RefreshStatus, nowMs: number): number | null {
  if (startedAtMs === null || (phase !== 'reading' && phase !== 'swapping')) return null;
  return Math.max(0, nowMs - startedAtMs);
}

/** The last run of a refresh. */
export function refreshWord(status: RefreshStatus, nowMs: number): StateWord {
  const forMs = runningMs(status, nowMs);
  if (forMs !== null && forMs > STALLED_MS) {
    return { tone: 'watch', word: 'no end', detail: `began ${agoText(forMs)}` };
  }
  const { phase, rows, error } = status;
  switch (phase) {
    case 'waiting':
      return { tone: 'unknown', word: 'not run yet', detail: '' };
    case 'reading':
      return { tone: 'info', word: 'reading', detail: `the table, for ${durationText(forMs)}` };
    case 'swapping': {
      const detail = `${countOf(rows, 'row')}, after ${durationText(forMs)}`;
      return { tone: 'info', word: 'writing', detail };
    }
    case 'done':
      return { tone: 'ok', word: 'refreshed', detail: '' };
    case 'failed':
      return { tone: 'watch', word: 'failed', detail: error ?? '' };
  }
}

/** Remarks about refreshes for the verdict; empty if all is well. */
export function refreshRemarks(refreshes: readonly RefreshStatus[], nowMs: number): Remark[] {
  return refreshes.flatMap((status) => {
    const { resource, phase, error, lastGood } = status;
    const isStalled = (runningMs(status, nowMs) ?? 0) > STALLED_MS;
    if (phase !== 'failed' && !isStalled) return [];
    const reads =
      lastGood === null
        ? `Reads of ${resource} go to the database.`
        : `Readers see the rows of ${agoText(Math.max(0, nowMs - lastGood.atMs))}, and the database once those run out.`;
    const why = isStalled ? 'Its coordinator may have died on the way' : error;
    return [
      watch(
        isStalled
          ? `The refresh of ${resource} has not ended`
          : `The last refresh of ${resource} failed`,
        `${why ?? 'It gave no reason'}. ${reads} Refreshing it again is always safe.`,
      ),
    ];
  });
}

/** Words for fields of a resource whose name in the configuration does not explain itself. */
const FIELDS: Record<string, string> = {
  cacheKey: 'cache key',
  key: 'key columns',
  invalidates: 'related keys',
};

/** `from delete-after-write to strict`; then other fields: `format entry becomes raw`. */
function changesText({ changes }: SwitchStatus): string {
  const policy = changes.filter(({ field }) => field === 'policy');
  const others = changes.filter(({ field }) => field !== 'policy');
  return [
    ...policy.map(({ from, to }) => `from ${from} to ${to}`),
    ...others.map(({ field, from, to }) =>
      // A query is too long to be shown twice.
      field === 'query'
        ? 'another query'
        : `${FIELDS[field] ?? field} ${from || 'nothing'} becomes ${to || 'nothing'}`,
    ),
  ].join(', ');
}

/** The remark about a switch for the verdict. */
export function switchRemark(status: SwitchStatus): Remark {
  const { resource, state } = status;
  const text = changesText(status);
  if (state === 'not-followed') {
    return act(
      `Another coordinator has switched ${resource}${text === '' ? '' : `: ${text}`}`,
      `The coordinator of this page has the old configuration. It refuses writes of ${resource}, which change nothing, and its reads go to the database. Give it the new configuration and reload it.`,
    );
  }
  return watch(
    text === '' ? `${resource} is new` : `${resource} is being switched: ${text}`,
    'Its writes follow the new configuration already. Its reads go to the database until no earlier entry is left in the cache.',
  );
}
