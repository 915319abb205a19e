/** Made-up live events: `well`, `bad` (servers down, drift) or `empty` (just started). */
import type {
  HeldLockView,
  LiveEvents,
  MetricsPoint,
  Policy,
  RefreshStatus,
  SwitchStatus,
} from '@lockstep/shared';
import { runs } from './mock-answers.ts';

const between = (low: number, high: number): number => low + Math.random() * (high - low);
const whole = (low: number, high: number): number => Math.floor(between(low, high + 1));
const KEYS = [
  '1042',
  '7',
  'SEA',
  'LAX',
  '42',
  'JFK',
  'ORD',
  '318',
  '90,eu',
  'long-key-with-a-name-that-goes-on',
];

function point(atMs: number, bad: boolean): MetricsPoint {
  const wave = 1 + 0.25 * Math.sin(atMs / 240_000) + between(-0.08, 0.08);
  return {
    atMs,
    writesPerSecond: 84 * wave,
    readsPerSecond: 251 * wave,
    errorsPerSecond: bad ? between(0, 30) : 0,
    hitRate: 0.93 + between(-0.02, 0.02),
    writeP50Ms: 3.1 * wave,
    writeP99Ms: 14 * wave + between(0, 6),
    readP50Ms: 0.6 * wave,
    readP99Ms: 4 * wave + between(0, 2),
    lockWaitP99Ms: (bad ? 1400 : 22) * wave,
    locksHeld: whole(1, 6),
    locksWaiting: bad ? whole(8, 20) : whole(0, 4),
    outboxDepth: bad ? whole(100, 140) : whole(0, 4),
    consistency: bad ? 0.996 : 1,
  };
}

/** A function that gives the next events; with true, the whole snapshot. */
export function createEvents(mood: string): (whole: boolean) => LiveEvents {
  const bad = mood === 'bad';
  const startMs = Date.now();
  return (full) => {
    const atMs = Date.now();
    const now = point(atMs, bad);
    const past =
      full && mood !== 'empty'
        ? Array.from({ length: 720 }, (_, i) => point(atMs - (720 - i) * 5000, bad))
        : [];
    const seconds = Math.floor((atMs - startMs) / 1000);
    return {
      metrics: {
        atMs,
        now,
        series: [...past, now],
        totals: {
          writes:
            mood === 'empty'
              ? []
              : (['strict', 'delete-after-write', 'none'] as Policy[]).flatMap((policy, i) => [
                  { policy, outcome: 'applied', count: 48_211 * (i + 1) + seconds * 30 },
                  { policy, outcome: 'not_applied', count: 120 * i + 17 },
                ]),
          fencedWrites: 3,
          intentsRecovered: 2,
          fillsRefused: 1873 + seconds,
          locksLost: 1,
        },
      },
      locks: locks(atMs, seconds, mood),
      contention: contention(atMs, seconds, mood),
      ttl: ttl(atMs, mood),
      audit: audit(atMs, bad, mood === 'empty'),
      outbox: {
        atMs,
        depth: now.outboxDepth,
        oldestMs: bad ? 48_000 : now.outboxDepth > 0 ? 120 : null,
        deadLetters: bad ? 2 : 0,
        relayedTotal: 91_220 + seconds * 40,
        blocked: bad ? 'The cache does not answer' : null,
        changeLog: {
          state: bad ? 'behind' : 'streaming',
          lagMs: bad ? 9_400 : whole(2, 12),
          detail: bad ? '9.4 s behind' : null,
          retainedBytes: 16_777_216,
          retainedWarning: null,
          bypassed: [
            { table: 'accounts', changes: 1_204 + seconds, agoMs: whole(0, 900) },
            { table: 'airports', changes: 17, agoMs: 3_600_000 },
          ],
          bypassedTotal: 1_221 + seconds,
        },
        refreshes: mood === 'empty' ? [] : refreshes(atMs, seconds, bad),
        switches: bad ? SWITCHES : [],
      },
      nodes: nodes(atMs, startMs, bad),
    };
  };
}

function refreshes(atMs: number, seconds: number, bad: boolean): RefreshStatus[] {
  const beat = seconds % 20;
  const startedAtMs = atMs - beat * 1_000;
  const phase = beat < 4 ? 'reading' : beat < 6 ? 'swapping' : 'done';
  const running = phase !== 'done';
  const lastGood = { rows: 1_204, atMs: startedAtMs - (running ? 14_000 : -6_000), tookMs: 5_920 };
  return [
    {
      ...{ resource: 'currency', phase, rows: phase === 'reading' ? 0 : 1_204, removed: 3 },
      ...{ startedAtMs, endedAtMs: running ? null : startedAtMs + 6_000, error: null, lastGood },
      nextAtMs: startedAtMs + 20_000,
    },
    {
      ...{ resource: 'feature-flag', phase: bad ? 'failed' : 'done', rows: 61, removed: 0 },
      ...{ startedAtMs: atMs - 300_000, endedAtMs: atMs - 299_000 },
      error: bad ? 'The table has more than 50 rows: 61' : null,
      lastGood: { rows: 48, atMs: atMs - (bad ? 4_000_000 : 299_000), tookMs: 18 },
      nextAtMs: atMs + 86_400_000,
    },
  ];
}

const SWITCHES: SwitchStatus[] = [
  {
    ...{ resource: 'account', state: 'settling' },
    changes: [{ field: 'policy', from: 'delete-after-write', to: 'strict' }],
  },
  {
    ...{ resource: 'airport', state: 'not-followed' },
    changes: [{ field: 'cacheKey', from: 'airport:{id}', to: 'airports/{id}' }],
  },
];

function hold(key: string, heldMs: number, waiting: number, seconds: number): HeldLockView {
  return {
    resource: key.length === 3 ? 'airport' : 'account',
    key,
    instance: 'coordinator-1',
    fence: 1_760_000_000_000_000 + seconds,
    purpose: key === 'JFK' ? 'lease' : key === '318' ? 'repair' : 'write',
    heldMs,
    leftMs: 8000 - (heldMs % 4000),
    ttlMs: 8000,
    waiting,
    ...(key === 'JFK' ? { lease: { leftMs: 30_000 - (heldMs % 30_000), ttlMs: 30_000 } } : {}),
  };
}

function locks(atMs: number, seconds: number, mood: string): LiveEvents['locks'] {
  if (mood === 'empty') return { atMs, held: [], heldTotal: 0, waiting: [], waitingTotal: 0 };
  const standing = hold('JFK', (seconds % 20) * 1000 + 1200, mood === 'bad' ? 12 : 2, 1);
  const stuck =
    mood === 'bad' ? [{ ...hold('42', 42_000 + seconds * 1000, 9, 2), leftMs: 1400 }] : [];
  const passing = Array.from({ length: whole(2, 6) }, () =>
    hold(
      KEYS[Math.floor(Math.random() ** 2 * KEYS.length)] ?? '7',
      between(0.4, 40),
      whole(0, 3),
      seconds,
    ),
  ).filter(
    (one, i, all) => one.key !== 'JFK' && all.findIndex((other) => other.key === one.key) === i,
  );
  const held = [...stuck, standing, ...passing].sort((a, b) => b.heldMs - a.heldMs);
  const waiting = held
    .filter((one) => one.waiting > 0)
    .map((one) => ({
      resource: one.resource,
      key: one.key,
      instance: one.instance,
      waiting: one.waiting,
      longestWaitMs: Math.min(one.heldMs, 4800),
    }));
  return {
    atMs,
    held,
    heldTotal: held.length,
    leasedTotal: held.filter(({ purpose }) => purpose === 'lease').length,
    waiting,
    waitingTotal: waiting.reduce((sum, one) => sum + one.waiting, 0),
  };
}

function contention(atMs: number, seconds: number, mood: string): LiveEvents['contention'] {
  return {
    atMs,
    keys:
      mood === 'empty'
        ? []
        : KEYS.map((key, i) => ({
            resource: key.length === 3 ? 'airport' : 'account',
            key,
            count: Math.round(2400 / (i + 1) ** 1.1) + seconds,
            error: i < 3 ? 0 : i * 4,
            waitP99Ms: 80 / (i + 1),
            holdP99Ms: 9 + i,
          })),
    totals: {
      acquired: 184_220 + seconds * 84,
      contended: 20_114 + seconds * 8,
      timedOut: 12,
      lost: 1,
      queueFull: 0,
    },
  };
}

function ttl(atMs: number, mood: string): LiveEvents['ttl'] {
  const bounds = [1000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, null];
  const shape = [4, 11, 26, 61, 130, 422, 811, 14, 0];
  const one = (
    resource: string,
    scale: number,
    withoutTtl: number,
  ): LiveEvents['ttl']['resources'][number] => ({
    resource,
    ttlMs: 600_000,
    buckets: bounds.map((upToMs, i) => ({
      upToMs,
      count: mood === 'empty' ? 0 : Math.round((shape[i] ?? 0) * scale),
    })),
    entries: {
      value: Math.round(1300 * scale),
      lease: 6,
      intent: 3,
      tombstone: Math.round(170 * scale),
    },
    withoutTtl,
    withoutTtlKeys: withoutTtl > 0 ? [`${resource}:17`, `${resource}:204`] : [],
  });
  return {
    atMs,
    resources: [
      one('account', 1, mood === 'bad' ? 2 : 0),
      one('airport', 2.4, 0),
      one('flight', 0.4, 0),
    ],
    sweep: mood === 'empty' ? null : { keys: 5120, endedAtMs: atMs - 7000, tookMs: 240 },
  };
}

function audit(atMs: number, bad: boolean, empty: boolean): LiveEvents['audit'] {
  const windows = (samples: number, drift: number) =>
    [60_000, 300_000, 3_600_000].map((windowMs, i) => {
      const n = empty ? 0 : samples * ([1, 5, 60][i] ?? 1);
      return {
        windowMs,
        samples: n,
        drift: n ? drift : 0,
        share: n ? 1 - drift / n : null,
        driftAtMost: n ? (3 + drift * 2) / n : null,
      };
    });
  return {
    atMs,
    consistency: [
      { resource: 'account', windows: windows(500, 0) },
      { resource: 'airport', windows: windows(300, bad ? 2 : 0) },
    ],
    runs: empty ? [] : runs(bad),
    next: [
      { resource: 'account', atMs: atMs + 34_000 },
      { resource: 'airport', atMs: atMs + 9000 },
    ],
    openFindings: bad ? 2 : 0,
  };
}

function nodes(atMs: number, startMs: number, bad: boolean): LiveEvents['nodes'] {
  const up = (name: string, kind: LiveEvents['nodes']['nodes'][number]['kind']) => ({
    name,
    kind,
    status: 'up' as const,
    rttMs: between(0.2, 0.9),
    sinceMs: startMs,
    detail: null,
  });
  return {
    atMs,
    nodes: [
      up('coordinator-1', 'coordinator'),
      up('postgres', 'database'),
      bad
        ? { ...up('cache', 'cache'), status: 'slow', rttMs: 412, detail: 'answers late: 412 ms' }
        : up('cache', 'cache'),
      up('lock-1', 'lock'),
      up('lock-2', 'lock'),
      bad
        ? { ...up('lock-3', 'lock'), status: 'down', rttMs: null, detail: 'connection refused' }
        : up('lock-3', 'lock'),
    ],
  };
}
