import { expect, it, describe } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';
import { problemAnswer } from './problems.ts';

interface Line {
  level: string;
  fields: object;
}

function recordingLog(): { lines: Line[]; log: Log } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object) => void lines.push({ level, fields });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { lines, log };
}

const refused = new LockstepError('CONSTRAINT', 'The database refused the write.', {
  logLevel: 'info',
  details: { sqlState: 'PT402', constraint: 'other', message: 'owner ann is broke' },
});

describe('the answer to a call that the database refused', () => {
  it('tells what the author of a trigger wrote, and its SQLSTATE', () => {
    expect(problemAnswer(refused, 'id-1', recordingLog().log)).toMatchObject({
      status: 409,
      body: {
        detail: 'The database refused the write. The database says: owner ann is broke',
        ...{ sqlState: 'PT402', message: 'owner ann is broke', retryable: false },
      },
    });
  });

  it('is logged once, with the id of the request and without what the author wrote', () => {
    const { lines, log } = recordingLog();
    problemAnswer(refused, 'id-1', log);
    expect(lines).toMatchObject([
      { level: 'info', fields: { requestId: 'id-1', code: 'CONSTRAINT', sqlState: 'PT402' } },
    ]);
    expect(JSON.stringify(lines)).not.toContain('ann');
  });

  it('has no field that a log would print with the author’s text', () => {
    const printed: Record<string, unknown> = {};
    for (const name in refused) printed[name] = Reflect.get(refused, name);
    expect(JSON.stringify([printed, String(refused.stack)])).not.toContain('ann');
  });
});

it('what a log line has to say why is found by the id that the caller was answered', () => {
  const { lines, log } = recordingLog();
  const cause = new Error('relation "accounts" does not exist');
  const broken = new LockstepError('DATABASE_UNAVAILABLE', 'The log says why.', {
    logLevel: 'error',
    cause,
  });
  const { body } = problemAnswer(broken, 'id-2', log);
  expect(body).toMatchObject({ requestId: 'id-2' });
  expect(lines).toMatchObject([{ level: 'error', fields: { requestId: 'id-2', err: cause } }]);
});
