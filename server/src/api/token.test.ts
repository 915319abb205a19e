import { describe, expect, it } from 'vitest';
import { LockstepError, makeKey, type WriteReceipt } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import type { ReadAnswer } from '../reads/port.ts';
import {
  afterRead,
  afterWrite,
  parseToken,
  readTokenText,
  seenOf,
  type Token,
  tokenText,
  writeTokenText,
} from './token.ts';

const KEY = makeKey(resource(), ['1']);
const OTHER = makeKey(resource(), ['2']);

const receipt = (version: number, position?: string, key = KEY): WriteReceipt => ({
  ...{ key, created: false, version, value: null, outcome: 'applied', cache: 'invalidated' },
  ...{ policy: key.resource.policy, fence: null, waitMs: 0, replayed: false },
  ...(position === undefined ? {} : { position }),
});
const answer = (changes: Partial<ReadAnswer>): ReadAnswer => ({
  ...{ version: 1, row: {}, source: 'primary' },
  ...changes,
});
const again = (token: Token): Token => parseToken('token', tokenText(token));

describe('a token (G4)', () => {
  it('carries what was seen through its text', () => {
    const token = afterRead(
      OTHER,
      answer({ version: 3, upTo: '9' }),
      afterWrite(receipt(2, '7@0-1-7')),
    );
    expect(again(token)).toEqual(token);
    expect(token).toMatchObject({ entries: '9', databases: '9' });
  });

  it('of an answer has the same text, whether positions are known or not', () => {
    const seen = afterWrite(receipt(2, '7'));
    for (const before of [undefined, seen]) {
      for (const read of [answer({}), answer({ upTo: '9' }), answer({ isUnversioned: true })])
        expect(readTokenText(KEY, read, before)).toBe(tokenText(afterRead(KEY, read, before)));
      for (const write of [receipt(3), receipt(3, '9')])
        expect(writeTokenText(write, before)).toBe(tokenText(afterWrite(write, before)));
    }
  });

  it('of a write asks entries and replicas for its position, or the entry for its version', () => {
    const token = afterWrite(receipt(2, '7'));
    expect(seenOf(token, KEY)).toEqual({
      minVersion: 2,
      seen: { entries: '7', databases: '7', writtenVersion: 2 },
    });
    expect(seenOf(token, OTHER)).toEqual({ seen: { entries: '7', databases: '7' } });
  });

  it('asks entries for no more after what the cache served, and replicas for all of it', () => {
    const written = afterWrite(receipt(2, '7'));
    const kept = afterRead(OTHER, answer({ source: 'cache', isKept: true, upTo: '20' }), written);
    expect(kept).toMatchObject({ entries: '7', databases: '20' });
    expect(seenOf(kept, KEY).seen).toMatchObject({ writtenVersion: 2 });
    const passed = afterRead(OTHER, answer({ source: 'replica', upTo: '30' }), kept);
    expect(passed).toMatchObject({ entries: '30', databases: '30' });
    expect(seenOf(passed, KEY)).toEqual({
      minVersion: 2,
      seen: { entries: '30', databases: '30' },
    });
  });

  it('that has seen what has no position asks the primary, which ends it', () => {
    const lost = afterRead(KEY, answer({ source: 'cache', isKept: true, upTo: '*' }));
    expect(lost).toMatchObject({ entries: null, databases: '*' });
    expect(afterRead(KEY, answer({ source: 'replica', upTo: '9' }), lost).databases).toBe('*');
    expect(afterRead(KEY, answer({ upTo: '9' }), lost).databases).toBe('9');
    expect(afterWrite(receipt(1, '12'), lost).databases).toBe('12');
  });

  it('without replicas names the versions of the last keys', () => {
    let token = afterWrite(receipt(5));
    for (let id = 10; id < 17; id += 1) {
      const key = makeKey(resource(), [String(id)]);
      token = afterRead(key, answer({ version: id }), token);
    }
    expect(seenOf(again(token), KEY)).toEqual({ minVersion: 5 });
    token = afterRead(OTHER, answer({ version: 1 }), token);
    expect(seenOf(again(token), KEY)).toEqual({});
    expect(tokenText(token).length).toBeLessThan(300);
  });

  it('takes nothing from a raw entry, which has no version', () => {
    const token = afterRead(KEY, answer({ version: 0, isUnversioned: true, isKept: true }));
    expect(seenOf(token, KEY)).toEqual({});
  });

  it('that is none is refused with its path', () => {
    const inside = (text: string): string => Buffer.from(text).toString('base64url');
    const wrong = ['', '!', 'abc', inside('1'), inside('1|a|'), inside('1||-1'), inside('1|||x.1')];
    for (const text of [...wrong, 7, null, inside(`1||${'9'.repeat(2_000)}`)]) {
      expect(() => parseToken('Lockstep-Token', text)).toThrow(LockstepError);
    }
    expect(() => parseToken('Lockstep-Token', 'abc')).toThrow(/Lockstep-Token/);
  });
});
