/**
 * Messages between coordinators and servers.
 *
 * States of an exchange
 *   sent      the request is in flight (or lost, or waits in a server that hangs)
 *   executed  the step was done; its reply is in flight (or lost)
 *   over      the caller has the reply, or knows that none came; nothing that arrives later changes that
 *
 * Invariants
 *   - a step is carried out completely at the moment when its request arrives, and nothing else happens at that moment
 *   - requests of one connection arrive in order, except stragglers; so do replies
 *   - a caller that is gone gets no reply
 *   - the fate of a message depends on the seed and its own name, not on other messages
 */
import { type MessageFates, type Fate } from './message-fates.ts';
import type { Scheduler } from './scheduler.ts';
import type { Server } from './server.ts';
import type { Trace } from './trace.ts';
import type { Weather } from './weather.ts';

/** A sender of requests: one process of a coordinator. */
export interface Caller {
  readonly name: string;
  /** The index of its coordinator. */
  readonly index: number;
  readonly isGone: boolean;
  /** Runs something in the process: at once, after a pause has ended, or never if it is gone. */
  deliver(run: () => void): void;
  /** A timer of the process. */
  timeout(delayMs: number, run: () => void): { cancel(): void };
}

export interface Message {
  /** The request: a word, perhaps with details for people. */
  name: string;
  /** The cache key or lock that it concerns. */
  about: string;
  /** How long the caller waits. */
  timeoutMs: number;
  /** Whether it may arrive twice without breaking a promise of the transport. */
  repeatable: boolean;
  /** Whether it follows the caller's earlier ones on the same connection. */
  ordered: boolean;
}

/** Why no answer came. `refused`: nothing was sent, so nothing will happen. */
export type Silence = 'refused' | 'cut' | 'timeout';

/** No answer came. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
  readonly why: Silence;

  constructor(why: Silence) {
    super(`no answer: ${why}`);
    this.why = why;
  }
}

const REFUSAL_MS = 0.5;

interface Line {
  requestsUntilMs: number;
  repliesUntilMs: number;
}

/** A message with everything that is needed to carry it. */
interface Carried {
  caller: Caller;
  server: Server;
  message: Message;
  fate: Fate;
  /** Its sender was killed while it was in flight. */
  isOrphan: boolean;
}

export interface NetworkParts {
  scheduler: Scheduler;
  weather: Weather;
  fates: MessageFates;
  trace: Trace;
}

export class Network {
  readonly #parts: NetworkParts;
  readonly #lines = new WeakMap<Caller, Map<Server, Line>>();
  readonly #inFlight = new Set<Carried>();

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /**
   * Sends one step to a server.
   * @throws Unanswered if no reply came; otherwise what the step throws
   */
  call<T>(
    caller: Caller,
    server: Server,
    message: Message,
    step: () => T | Promise<T>,
  ): Promise<T> {
    const fate = this.#parts.fates.of(caller.name, server.name, message);
    const carried: Carried = { caller, server, message, fate, isOrphan: false };
    return new Promise<T>((resolve, reject) => {
      if (server.isDown) return this.#refuse(carried, reject);
      let isOver = false;
      const end = (tell: () => void): void => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        server.exchanges.delete(cut);
        tell();
      };
      const cut = (): void => caller.deliver(() => end(() => reject(new Unanswered('cut'))));
      const timer = caller.timeout(message.timeoutMs, () => {
        if (!isOver) this.#note(carried, () => 'no answer in time');
        end(() => reject(new Unanswered('timeout')));
      });
      server.exchanges.add(cut);
      const done = (tell: () => void): void => this.#reply(carried, () => end(tell));
      this.#request(carried, {
        arrive: () => this.#execute(carried, step, { resolve, reject }, done),
        // A second arrival came over a connection that is gone, so nobody gets its reply.
        arriveAgain: () => this.#execute(carried, step, { resolve, reject }, () => {}),
      });
    });
  }

  /** Some messages of a killed process are lost with it. */
  senderDied(caller: Caller): void {
    for (const carried of this.#inFlight) {
      if (carried.caller === caller && carried.fate.diesWithSender) carried.isOrphan = true;
    }
  }

  #refuse(carried: Carried, reject: (error: Error) => void): void {
    this.#note(carried, () => 'connection refused');
    this.#parts.scheduler.after(REFUSAL_MS, () =>
      carried.caller.deliver(() => reject(new Unanswered('refused'))),
    );
  }

  /** Carries out the step, now or after what it waits for, and passes a function that answers the caller to `done`. */
  #execute<T>(
    carried: Carried,
    step: () => T | Promise<T>,
    { resolve, reject }: { resolve: (answer: T) => void; reject: (error: unknown) => void },
    done: (tell: () => void) => void,
  ): void {
    const answered = (answer: T): void => {
      this.#note(carried, () => `=> ${inWords(answer)}`, isMinor(carried, answer));
      done(() => resolve(answer));
    };
    const failed = (error: unknown): void => {
      this.#note(carried, () => `=> ${String(error)}`);
      done(() => reject(error));
    };
    try {
      const answer = step();
      if (!(answer instanceof Promise)) return answered(answer);
      this.#note(carried, () => 'waits');
      answer.then(answered, failed);
    } catch (error) {
      failed(error);
    }
  }

  #request(
    carried: Carried,
    { arrive, arriveAgain }: { arrive: () => void; arriveAgain: () => void },
  ): void {
    const { scheduler, weather } = this.#parts;
    const { caller, server, message, fate } = carried;
    const around = weather.of(caller.index, server.name);
    if (fate.losesRequest || around.has('lose-requests')) {
      this.#note(carried, () => 'the request is lost');
      return;
    }
    const line = this.#line(caller, server);
    const slowMs = fate.slowRequestMs(around.delayMs('slow-requests'));
    const dueMs = this.#due(line.requestsUntilMs, message.ordered, fate.requestMs, slowMs);
    if (message.ordered && slowMs === 0) line.requestsUntilMs = dueMs;
    if (slowMs > 0) this.#note(carried, () => `the request takes ${slowMs.toFixed(0)} ms`);
    this.#inFlight.add(carried);
    scheduler.at(dueMs, () => {
      this.#inFlight.delete(carried);
      if (carried.isOrphan) this.#note(carried, () => 'died with its sender');
      else server.receive(arrive);
    });
    const againMs = fate.againMs(around.has('repeat-requests'));
    if (againMs === null || !message.repeatable) return;
    scheduler.at(dueMs + againMs, () => {
      this.#note(carried, () => 'arrives once more');
      server.receive(arriveAgain);
    });
  }

  #reply(carried: Carried, tell: () => void): void {
    const { scheduler, weather } = this.#parts;
    const { caller, server, message, fate } = carried;
    const around = weather.of(caller.index, server.name);
    if (fate.losesReply || around.has('lose-replies')) {
      this.#note(carried, () => 'the reply is lost');
      return;
    }
    const line = this.#line(caller, server);
    const slowMs = fate.slowReplyMs(around.delayMs('slow-replies'));
    const dueMs = this.#due(line.repliesUntilMs, message.ordered, fate.replyMs, slowMs);
    if (message.ordered && slowMs === 0) line.repliesUntilMs = dueMs;
    if (slowMs > 0) this.#note(carried, () => `the reply takes ${slowMs.toFixed(0)} ms`);
    scheduler.at(dueMs, () => caller.deliver(tell));
  }

  /**
   * When a message arrives. A straggler is not kept in order: it was still in an old connection while a new one is
   * used.
   */
  #due(afterMs: number, ordered: boolean, quickMs: number, slowMs: number): number {
    const dueMs = this.#parts.scheduler.nowMs + quickMs + slowMs;
    return ordered && slowMs === 0 ? Math.max(dueMs, afterMs) : dueMs;
  }

  #line(caller: Caller, server: Server): Line {
    let lines = this.#lines.get(caller);
    if (lines === undefined) {
      lines = new Map();
      this.#lines.set(caller, lines);
    }
    let line = lines.get(server);
    if (line === undefined) {
      line = { requestsUntilMs: 0, repliesUntilMs: 0 };
      lines.set(server, line);
    }
    return line;
  }

  #note(
    { caller, server, message: { name, about } }: Carried,
    text: () => string,
    isMinor = false,
  ): void {
    const { trace } = this.#parts;
    if (!trace.isOn) return;
    trace.note(`${caller.name} -> ${server.name}`, () => `${name} ${about}: ${text()}`, isMinor);
  }
}

const BACKGROUND = new Set(['scan', 'ttls', 'ping', 'intent-age', 'remove', 'settle', 'depth']);

/** Whether the message is frequent and says little, so that a brief trace leaves it out. */
function isMinor({ server, message: { name } }: Carried, answer: unknown): boolean {
  if (server.name !== 'cache' && server.name !== 'database') return true;
  return BACKGROUND.has(name) || (name === 'take' && inWords(answer) === '{"rows":[]}');
}

const MAX_WORDS = 160;

function inWords(answer: unknown): string {
  if (answer === undefined) return 'done';
  const isStored = typeof answer === 'object' && answer !== null && 'text' in answer;
  const text = isStored ? String(answer.text).replace('\n', ' ') : JSON.stringify(answer);
  return text.length > MAX_WORDS ? `${text.slice(0, MAX_WORDS)}…` : text;
}
