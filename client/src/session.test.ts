import { parseSeenToken, seenTokenText } from '@lockstep/shared/for-clients';
import { describe, expect, it } from 'vitest';
import { Session } from './session.ts';

const token = (entries: string | null, databases: string | null, ...keys: string[]): string =>
  seenTokenText({ entries, databases }, keys);
const value = (reached?: string, upTo?: string) => ({ version: 1, row: null, reached, upTo });

describe('a session (RP8)', () => {
  it('remembers the highest version of each key, and forgets the one seen longest ago', () => {
    const session = new Session(2);
    session.sawVersion('a', 3);
    session.sawVersion('a', 2);
    expect(session.leastVersion('a')).toBe(3);
    session.sawVersion('b', 1);
    session.sawVersion('a', 3);
    session.sawVersion('c', 1);
    expect(['a', 'b', 'c'].map((key) => session.leastVersion(key))).toEqual([3, 0, 1]);
  });

  it('tells a coordinator nothing where there are no replicas', () => {
    const session = new Session(10);
    session.sawToken(token(null, null, 'abcdefghijkl.3.w'), session.mark);
    expect(session.token).toBeNull();
  });

  it('tells a coordinator the latest positions that it has seen, in whatever order answers came', () => {
    const session = new Session(10);
    session.sawToken(token('5', '9', 'abcdefghijkl.3.w'), session.mark);
    session.sawToken(token('3', '12', 'mnopqrstuvwx.1'), session.mark);
    expect(parseSeenToken(session.token ?? '')).toMatchObject({
      ...{ entries: '5', databases: '12' },
      // What was written at 5 is still told as written.
      keys: [{ hash: 'mnopqrstuvwx' }, { hash: 'abcdefghijkl', version: 3, isWritten: true }],
    });
  });

  it('answers from the cache only what has reached what it has seen', () => {
    const session = new Session(10);
    expect(session.hasPositionsOf(value())).toBe(true);
    session.sawToken(token('5', '5'), session.mark);
    expect(session.hasPositionsOf(value())).toBe(false);
    expect(session.hasPositionsOf(value('4@x'))).toBe(false);
    expect(session.hasPositionsOf(value('5@x'))).toBe(true);
  });

  it('sends readers to the primary after an entry that says no position, until an answer covers it', () => {
    const session = new Session(10);
    session.sawEntry(value(undefined, '7'));
    expect(parseSeenToken(session.token ?? '')).toMatchObject({ databases: '7' });
    session.sawEntry(value());
    expect(parseSeenToken(session.token ?? '')).toMatchObject({ databases: '*' });
    const { mark } = session;
    session.sawToken(token(null, '11'), mark);
    expect(parseSeenToken(session.token ?? '')).toMatchObject({ databases: '11' });
    session.sawEntry(value());
    // This answer's request was sent before that entry was seen.
    session.sawToken(token(null, '12'), mark);
    expect(parseSeenToken(session.token ?? '')).toMatchObject({ databases: '*' });
  });

  it('takes no notice of what is no token', () => {
    const session = new Session(10);
    session.sawToken('?', session.mark);
    expect(session.token).toBeNull();
  });
});
