import { describe, expect, it } from 'vitest';
import { parseScope, type Scope, scopeText, scopeTexts } from './scopes.ts';

const parsed = (text: string): Scope | string => {
  const result = parseScope(text);
  return 'scope' in result ? result.scope : result.fault;
};

describe('a scope', () => {
  it.each([
    ['read:account', { action: 'read', resource: 'account', prefix: '' }],
    ['write:*', { action: 'write', resource: '*', prefix: '' }],
    ['write:account:eu-*', { action: 'write', resource: 'account', prefix: 'eu-' }],
    ['lease:*:eu-*', { action: 'lease', resource: '*', prefix: 'eu-' }],
    ['invalidate:line:eu-1,*', { action: 'invalidate', resource: 'line', prefix: 'eu-1,' }],
    ['read:note:a:b:*', { action: 'read', resource: 'note', prefix: 'a:b:' }],
    ['read:account:*', { action: 'read', resource: 'account', prefix: '' }],
    ['operate:account', { action: 'operate', resource: 'account', prefix: '' }],
  ])('%s is understood, and its text is understood again', (text, scope) => {
    expect(parsed(text)).toEqual(scope);
    expect(parsed(scopeText(scope as Scope))).toEqual(scope);
  });

  it.each([
    ['', /no action/],
    ['account', /no action "account"; allowed: read, write, lease, invalidate, operate/],
    ['reed:account', /no action "reed"/],
    ['READ:account', /no action/],
    ['read', /is no scope; allowed: ACTION:RESOURCE/],
    ['read:', /is no scope/],
    [`read:${'x'.repeat(2_000)}`, /is no scope/],
    ['read:\ud800', /is no scope/],
    ['read:account:42', /prefix without one \* at its end/],
    ['read:account:', /prefix without one \*/],
    ['read:account:a*b*', /prefix without one \*/],
    ['read:account:**', /prefix without one \*/],
    ['operate:account:eu-*', /operate is for whole resources/],
  ])('%j is refused, with what is wrong', (text, fault) => {
    expect(parsed(text)).toMatch(fault);
  });

  it('list is parted only where another scope begins, so that a prefix may hold a comma', () => {
    expect(scopeTexts('read:account, write:line:eu-1,*,lease:a')).toEqual([
      'read:account',
      'write:line:eu-1,*',
      'lease:a',
    ]);
    // Never less than what was written: such a prefix is refused, since its first part has no asterisk.
    expect(scopeTexts('write:note:a,read:b*').map(parsed)).toEqual([
      expect.stringMatching(/prefix without/),
      expect.objectContaining({ resource: 'b*' }),
    ]);
  });
});
