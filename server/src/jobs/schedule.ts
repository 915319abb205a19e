import { Cron } from 'croner';
import type { AuditRule } from '../domain/index.ts';

/** How much before its interval is over a run may begin, so that a timer that fires early still counts. */
const MAX_EARLY_MS = 1_000;
/** How far the clocks of two coordinators may differ without running one occurrence of a cron expression twice. */
const CRON_SKEW_MS = 30_000;
/** First run of an interval after a start: soon, and not in every coordinator at once. */
const FIRST_RUN_MIN_MS = 500;
const FIRST_RUN_MAX_MS = 3_000;

/** When the runs of one job are due. Pure but for the time that is passed in. */
export interface Schedule {
  /** Time until the first run after a start. @param random uniform in [0, 1) */
  firstInMs(wallMs: number, random: number): number | null;
  /** Time from the beginning of a run to that of the next; null where there is none any more. */
  nextInMs(wallMs: number): number | null;
  /** A run is refused where another one began less than this long ago. */
  notSinceMs(wallMs: number): number;
}

/** The schedule of a rule. Cron expressions are read in UTC. @throws Error where the expression is wrong */
export function scheduleOf(when: AuditRule['when']): Schedule {
  return 'everyMs' in when ? intervalSchedule(when.everyMs) : cronSchedule(when.cron);
}

function intervalSchedule(everyMs: number): Schedule {
  return {
    firstInMs: (_, random) => {
      const spreadMs = Math.min(everyMs, FIRST_RUN_MAX_MS) - FIRST_RUN_MIN_MS;
      return FIRST_RUN_MIN_MS + Math.max(0, spreadMs) * random;
    },
    nextInMs: () => everyMs,
    notSinceMs: () => everyMs - Math.min(MAX_EARLY_MS, everyMs * 0.1),
  };
}

function cronSchedule(expression: string): Schedule {
  const cron = new Cron(expression, { timezone: 'UTC', paused: true });
  const nextInMs = (wallMs: number): number | null => {
    const next = cron.nextRun(new Date(wallMs));
    return next === null ? null : Math.max(0, next.getTime() - wallMs);
  };
  return {
    firstInMs: nextInMs,
    nextInMs,
    notSinceMs: (wallMs) => {
      const untilNextMs = nextInMs(wallMs);
      return untilNextMs === null ? CRON_SKEW_MS : Math.min(CRON_SKEW_MS, untilNextMs / 2);
    },
  };
}
