import { describe, expect, it } from 'vitest';
import { accessOf } from '@lockstep/testkit/doubles/memory-key-store';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { LockstepError, makeKey } from '../domain/index.ts';
import { Access } from './access.ts';

const text = column('id', 'text', { maxLength: 200 });
const NOTE = resource({ name: 'note', keyColumns: [text], columns: [text] });
const PAIR = resource({
  name: 'pair',
  keyColumns: [column('a', 'text'), column('b', 'text')],
  columns: [column('a', 'text'), column('b', 'text')],
});
const note = (id: string) => makeKey(NOTE, [id]);

/** What is said of a refusal; null: allowed. */
function refusal(task: () => void): string | null {
  try {
    task();
    return null;
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'FORBIDDEN') return error.message;
    throw error;
  }
}

describe('scopes (I2)', () => {
  it('allow their action on their resource, and nothing else', () => {
    const access = accessOf(['read:note']);
    expect(access.covers('read', 'note', 'x')).toBe(true);
    expect(access.covers('read', 'note', null)).toBe(true);
    for (const action of ['write', 'lease', 'invalidate', 'operate'] as const)
      expect(access.covers(action, 'note', 'x')).toBe(false);
    expect(access.covers('read', 'account', 'x')).toBe(false);
    expect(access.covers('read', 'notes', 'x')).toBe(false);
    expect(access.covers('read', '*', null)).toBe(false);
    expect(accessOf(['read:*']).covers('read', 'note', null)).toBe(true);
  });

  it('with a prefix allow only keys whose canonical text begins with it', () => {
    const access = accessOf(['write:note:eu-*', 'write:note:de-*', 'write:pair:eu%2C1,*']);
    expect(refusal(() => access.assertKey('write', note('eu-1')))).toBeNull();
    expect(refusal(() => access.assertKey('write', note('de-1')))).toBeNull();
    for (const id of ['us-1', 'e', 'eu', 'EU-1', ' eu-1', '']) {
      const said = refusal(() => access.assertKey('write', note(id)));
      expect(said).toContain('scope write:note');
    }
    // The parts of a composite key are joined by a comma, and a comma in one of them is another character.
    expect(refusal(() => access.assertKey('write', makeKey(PAIR, ['eu,1', 'x'])))).toBeNull();
    expect(refusal(() => access.assertKey('write', makeKey(PAIR, ['eu', '1,x'])))).not.toBeNull();
  });

  it('with a prefix do not cover what names no key', () => {
    const access = accessOf(['write:note:eu-*']);
    expect(refusal(() => access.assertWhole('write', 'note'))).toBe(
      'This call needs the scope write:note without a key prefix.',
    );
    expect(refusal(() => access.assertWhole('write', 'account'))).toBe(
      'This call needs the scope write:account.',
    );
    expect(refusal(() => accessOf(['write:*']).assertWhole('write', 'note'))).toBeNull();
  });

  it('are missed by name, and the row’s key is not repeated', () => {
    const said = refusal(() => accessOf(['read:note:eu-*']).assertKey('read', note('us-secret')));
    expect(said).toMatch(/scope read:note for the key/);
    expect(said).not.toContain('us-secret');
  });
});

describe('roles (I2)', () => {
  it('include those before them, and only an admin may do what services do', () => {
    const [viewer, operator, admin] = [
      accessOf([], 'viewer'),
      accessOf([], 'operator'),
      accessOf([], 'admin'),
    ];
    expect([viewer.hasRole('viewer'), viewer.hasRole('operator')]).toEqual([true, false]);
    expect([operator.hasRole('viewer'), operator.hasRole('admin')]).toEqual([true, false]);
    expect(admin.hasRole('operator')).toBe(true);
    for (const access of [viewer, operator]) {
      expect(access.covers('read', 'note', 'x')).toBe(false);
      const said = refusal(() => access.assertReaches({ role: 'service', scopes: ['read'] }));
      expect(said).toBe('This call needs a scope read:RESOURCE.');
    }
    expect(admin.covers('operate', 'note', null)).toBe(true);
    expect(refusal(() => admin.assertReaches({ role: 'service', scopes: ['read'] }))).toBeNull();
  });

  it('are what the two configured tokens have: all of a service, and all', () => {
    expect(Access.SERVICE.covers('write', 'note', null)).toBe(true);
    expect(Access.SERVICE.covers('operate', 'note', null)).toBe(false);
    expect(Access.SERVICE.hasRole('viewer')).toBe(false);
    expect(Access.ADMIN.isAdmin).toBe(true);
  });

  it('of an operator are given for one resource by the scope operate', () => {
    const access = accessOf(['operate:note']);
    const needs = { role: 'operator', scopes: ['operate'] } as const;
    expect(refusal(() => access.assertReaches(needs))).toBeNull();
    expect(refusal(() => access.assertOperates('note'))).toBeNull();
    expect(refusal(() => access.assertOperates('*'))).toBe('This call needs the scope operate:*.');
    const other = accessOf(['read:note'], 'viewer');
    expect(refusal(() => other.assertReaches(needs))).toBe(
      'This call needs the role operator or a scope operate:RESOURCE.',
    );
  });
});
