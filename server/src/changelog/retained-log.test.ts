import { describe, expect, it } from 'vitest';
import { warningOf } from './retained-log.ts';

const GIB = 1024 ** 3;
const slot = 'lockstep_5';

describe('the log that the database keeps', () => {
  it.each([
    ['little, without a bound', 0.9 * GIB, null],
    ['half of a bound', GIB, GIB],
    ['nothing', 0, 2 * GIB],
  ])('is no reason to warn: %s', (_, bytes, leftBytes) => {
    expect(warningOf({ slot, bytes, leftBytes })).toBeNull();
  });

  it('is a reason to warn if it has no bound and is large', () => {
    expect(warningOf({ slot, bytes: 1.5 * GIB, leftBytes: null })).toMatch(
      /keeps 1536 MiB .* slot lockstep_5, without a bound; allowed: .*max_slot_wal_keep_size/,
    );
  });

  it('is a reason to warn if the database will soon discard it', () => {
    expect(warningOf({ slot, bytes: 1.8 * GIB, leftBytes: 0.2 * GIB })).toMatch(
      /discards it after 205 MiB more: then all entries are swept/,
    );
  });
});
