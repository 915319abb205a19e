import type { SwitchStatus } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import { switchRemarks } from './switch-text.ts';

const remark = (
  state: SwitchStatus['state'],
  changes: SwitchStatus['changes'],
): { level: string; what: string } | undefined =>
  switchRemarks([{ resource: 'profile', state, changes }])[0];
const POLICY = { field: 'policy', from: 'none', to: 'strict' };
const CACHE_KEY = { field: 'cacheKey', from: 'a:{id}', to: 'b:{id}' };

describe('a switch in words', () => {
  it('says from what to what', () => {
    expect(remark('settling', [POLICY])).toMatchObject({
      level: 'watch',
      what: 'profile is being switched: from none to strict',
    });
    expect(remark('settling', [POLICY, CACHE_KEY])?.what).toBe(
      'profile is being switched: from none to strict, cache key a:{id} becomes b:{id}',
    );
    expect(remark('settling', [{ field: 'invalidates', from: '', to: 'x:{y}' }])?.what).toBe(
      'profile is being switched: related keys nothing becomes x:{y}',
    );
  });

  it('says of a query only that it is another one', () => {
    const query = { field: 'query', from: '{"text":"select 1"}', to: '{"text":"select 2"}' };
    expect(remark('settling', [query])?.what).toBe('profile is being switched: another query');
  });

  it('says where a resource is only new', () => {
    expect(remark('settling', [])?.what).toBe('profile is new');
  });

  it('asks to act where this coordinator has not followed', () => {
    expect(remark('not-followed', [POLICY])).toMatchObject({
      level: 'act',
      what: 'Another coordinator has switched profile: from none to strict',
    });
  });
});
