import type { Control } from '@lockstep/testkit/controls';
import { Client } from './clients/client.ts';
import { judgeHistory } from './clients/client-history.ts';
import { Judge } from './clients/judge.ts';
import type { Mishap, Plan } from './plan/plan.ts';
import { inspectFinished, unfinished } from './rules/finished.ts';
import { Referee, type Violation } from './rules/referee.ts';
import type { RuleName } from './rules/rules.ts';
import { heal, schedule } from './world/faults.ts';
import { LineTrace, SILENT } from './world/trace.ts';
import { type Replicated, World } from './world/world.ts';
import { watchLocks } from './rules/lock-watch.ts';

export type { Replicated };

export interface RunOptions {
  /** The protection to break; null: none. */
  control?: Control | null;
  /** `strict.verifyIntent`: strict writes check their intents again before they commit. */
  verifyIntent?: boolean;
  /** The cache has a replica, which may take its place: how it is waited for. Default null: it has none. */
  replicated?: Replicated | null;
  /** Called with every line of the trace. */
  trace?: (line: string) => void;
  /** Leaves out minor lines. */
  briefly?: boolean;
  /** Ends the trace, but not the run, when this rule is broken for the first time. */
  untilViolated?: RuleName;
}

export interface RunResult {
  plan: Plan;
  violations: Violation[];
  /** The disturbances of single messages that happened. */
  mishaps: Mishap[];
  /** The history of what clients saw, as lines for `check-history`. */
  history: readonly string[];
  operations: number;
  /** Reads that a client answered from its memory. */
  fromMemory: number;
  events: number;
  /** The world's time at the end, in ms. */
  lastedMs: number;
}

/** By then every client must have ended. An operation that is still open is a violation. */
const CLIENTS_END_MS = 60_000;
/** How long the remaining work may take once all faults are over. */
const FINISH_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** Carries out a plan. The same plan and control give the same run, event by event. */
export async function simulate(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const { control = null, verifyIntent = false, replicated = null } = options;
  const { trace, briefly = false, untilViolated } = options;
  let watch: ReturnType<typeof watchLocks> | null = null;
  let isTracing = true;
  const takeLine = (line: string): void => {
    if (!isTracing) return;
    trace?.(line);
    if (untilViolated !== undefined && line.includes(`VIOLATION ${untilViolated}`)) {
      isTracing = false;
    }
  };
  const world = new World({
    plan,
    control,
    verifyIntent,
    replicated,
    trace: (scheduler) =>
      trace === undefined ? SILENT : new LineTrace(scheduler, takeLine, briefly),
    onTelemetry: (process, event) => watch?.(process, event),
  });
  const referee = new Referee(world);
  watch = watchLocks(world, referee);
  const judge = new Judge(world, referee);
  const defects = watchDefects(referee);
  try {
    schedule(world, plan.faults, plan.seed);
    await runClients(world, judge, plan);
    heal(world);
    await finish(world, judge, referee);
    judge.judgeOutcomes();
    inspectFinished(world, referee);
    judgeHistory(judge.history, referee);
  } finally {
    defects.stop();
  }
  return {
    plan,
    violations: referee.violations,
    mishaps: world.fates.struck,
    history: judge.history.lines,
    operations: judge.operations,
    fromMemory: judge.fromMemory,
    events: world.scheduler.events,
    lastedMs: world.scheduler.nowMs,
  };
}

async function runClients(world: World, judge: Judge, plan: Plan): Promise<void> {
  let working = plan.clients.length;
  for (const [index, operations] of plan.clients.entries()) {
    const client = new Client({ world, judge, number: index + 1 });
    client.run(operations).then(
      () => (working -= 1),
      (error: unknown) => {
        throw error;
      },
    );
  }
  await world.scheduler.run(() => working === 0, CLIENTS_END_MS);
}

/** Runs the world until nothing is left to do. What is left after FINISH_MS is a violation. */
async function finish(world: World, judge: Judge, referee: Referee): Promise<void> {
  const { scheduler } = world;
  const untilMs = scheduler.nowMs + FINISH_MS;
  for (;;) {
    const left = [
      ...unfinished(world),
      ...(judge.open > 0 ? [`${judge.open} operations are not answered`] : []),
    ];
    if (left.length === 0) return;
    if (scheduler.nowMs >= untilMs) {
      for (const what of left) referee.report('X5', '', what);
      return;
    }
    await scheduler.run(() => false, scheduler.nowMs + LOOK_EVERY_MS);
  }
}

/** Reports unhandled rejections, which would end a real process. */
function watchDefects(referee: Referee): { stop(): void } {
  const onRejection = (error: unknown): void =>
    referee.report(
      'defect',
      '',
      `nobody handles: ${error instanceof Error ? error.stack : String(error)}`,
    );
  process.on('unhandledRejection', onRejection);
  return { stop: () => process.off('unhandledRejection', onRejection) };
}
