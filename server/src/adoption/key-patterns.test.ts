import { describe, expect, it } from 'vitest';
import type { Column } from '../domain/index.ts';
import { keyPatterns } from './key-patterns.ts';

const column = (name: string, type: Column['type']): Column => ({
  ...{ name, type, sqlType: type, nullable: false, hasDefault: false, generated: false },
  ...{ maxLength: null, range: null },
});
const tables = [
  { resource: 'users', table: 'users', key: [column('id', 'bigint')] },
  {
    resource: 'order_items',
    table: 'order_items',
    key: [column('order_id', 'bigint'), column('line', 'integer')],
  },
  { resource: 'sessions', table: 'Session', key: [column('token', 'uuid')] },
  { resource: 'countries', table: 'country', key: [column('code', 'text')] },
];
const templates = (...names: string[]): string[] =>
  keyPatterns(
    tables,
    names.map((name) => ({ name, kind: 'string', ttlMs: null })),
  ).map(({ resource, template, keys }) => `${resource} ${template} ${keys.length}`);

describe('patterns of keys in a cache', () => {
  it('finds a table’s name in the singular and the plural, with text before and after', () => {
    expect(templates('user:42', 'user:7', 'app:user:42:profile', 'USERS/7')).toEqual([
      'users user:{id} 2',
      'users app:user:{id}:profile 1',
      'users USERS/{id} 1',
    ]);
    expect(templates('user-42', 'user_42')).toEqual(['users user-{id} 1', 'users user_{id} 1']);
  });

  it('finds the values of a key of several columns, apart or in one piece', () => {
    expect(templates('order_item:7:2', 'orderItems:7-2')).toEqual([
      'order_items order_item:{order_id}:{line} 1',
      'order_items orderItems:{order_id}-{line} 1',
    ]);
    expect(templates('order_item:7')).toEqual([]);
  });

  it('takes only values that the key’s columns can have', () => {
    expect(templates('user:ann', 'user:007', 'session:42')).toEqual([]);
    expect(templates('session:0b0e7c9e-6d0f-4c53-9d2a-111111111111', 'country:DE')).toEqual([
      'sessions session:{token} 1',
      'countries country:{code} 1',
    ]);
  });

  it('takes no id of something else for a fixed part of a template', () => {
    expect(templates('tenant:7:user:42', 'user:42:device:9')).toEqual([]);
  });

  it('leaves out keys that no template can write', () => {
    expect(templates('{user:42}:x', 'user:{42}', 'visits:3')).toEqual([]);
  });
});
