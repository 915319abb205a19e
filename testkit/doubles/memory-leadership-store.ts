import type { Clock } from '../../server/src/runtime/index.ts';
import type { Election, LeadershipStore } from '../../server/src/jobs/index.ts';

interface Term {
  leader: string | null;
  expiresAtMs: number;
  scheduledAtMs: number | null;
}

/** Who leads each job, in memory; its clock is the runtime's. */
export class MemoryLeadershipStore implements LeadershipStore {
  readonly #clock: Clock;
  readonly #terms = new Map<string, Term>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  elect(job: string, leader: string, termMs: number, notSinceMs: number | null): Promise<Election> {
    const nowMs = this.#clock.wallMs();
    const free = { leader: null, expiresAtMs: 0, scheduledAtMs: null };
    const term = this.#terms.get(job) ?? free;
    const leftMs = Math.max(0, term.expiresAtMs - nowMs);
    const agoMs = term.scheduledAtMs === null ? Infinity : nowMs - term.scheduledAtMs;
    const tooSoonMs = notSinceMs === null ? 0 : Math.max(0, notSinceMs - agoMs);
    if (leftMs > 0 || tooSoonMs > 0) {
      const retryInMs = Math.max(tooSoonMs, Math.min(leftMs, 500));
      return Promise.resolve({ elected: false, retryInMs });
    }
    const scheduledAtMs = notSinceMs === null ? term.scheduledAtMs : nowMs;
    this.#terms.set(job, { leader, expiresAtMs: nowMs + termMs, scheduledAtMs });
    return Promise.resolve({ elected: true });
  }

  renew(job: string, leader: string, termMs: number): Promise<boolean> {
    const term = this.#terms.get(job);
    if (term?.leader !== leader) return Promise.resolve(false);
    term.expiresAtMs = this.#clock.wallMs() + termMs;
    return Promise.resolve(true);
  }

  resign(job: string, leader: string): Promise<void> {
    const term = this.#terms.get(job);
    if (term?.leader === leader) Object.assign(term, { leader: null, expiresAtMs: 0 });
    return Promise.resolve();
  }
}
