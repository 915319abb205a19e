import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { LargeAnswers } from './bounded-answers.ts';

const LARGE = 'x'.repeat(300_000);

class Reader extends EventEmitter {
  closed = false;
}
const reader = (): Reader & Pick<ServerResponse, 'closed' | 'once'> =>
  new Reader() as Reader & Pick<ServerResponse, 'closed' | 'once'>;

describe('large answers', () => {
  it('are admitted up to the bound, and again when one is out', () => {
    const answers = new LargeAnswers(700_000);
    const [first, second] = [reader(), reader()];
    expect(answers.admit(LARGE, first)).toBe(true);
    expect(answers.admit(LARGE, second)).toBe(true);
    expect(answers.admit(LARGE, reader())).toBe(false);
    expect(answers.admit('short', reader())).toBe(true);
    first.emit('close');
    expect(answers.admit(LARGE, reader())).toBe(true);
  });

  it('are not counted where their reader is gone', () => {
    const answers = new LargeAnswers(400_000);
    const gone = reader();
    gone.closed = true;
    expect(answers.admit(LARGE, gone)).toBe(true);
    expect(answers.admit(LARGE, reader())).toBe(true);
  });
});
