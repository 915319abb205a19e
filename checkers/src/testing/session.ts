/** Short histories, written down step by step. */
import type { Policy } from '@lockstep/shared';
import type { Answer, Call, History } from '../history.ts';
import { parseHistory } from '../reader.ts';
import { HistoryRecorder } from '../recorder.ts';

type Asked = Call & { idempotencyKey?: string };

export type Steps = (session: Session) => void;

/** Operations one after another, or begun here and ended by hand. Each has a client of its own. */
export class Session {
  readonly recorder: HistoryRecorder;

  constructor(recorder: HistoryRecorder) {
    this.recorder = recorder;
  }

  begin(asked: Asked, key = 'account:1'): number {
    return this.recorder.invoke({ client: this.recorder.newClient(), key, ...asked });
  }

  do(asked: Asked, answer: Answer = {}, key = 'account:1'): void {
    this.recorder.ok(this.begin(asked, key), answer);
  }
}

/** The history that the steps record; its clock goes on by 1 ms a line. */
export function recorded(steps: Steps, policy: Policy = 'strict'): History {
  const lines: string[] = [];
  let nowMs = 0;
  const recorder = new HistoryRecorder({
    resources: { account: { policy } },
    nowMs: () => (nowMs += 1),
    write: (line) => lines.push(line),
  });
  steps(new Session(recorder));
  return parseHistory(lines);
}
