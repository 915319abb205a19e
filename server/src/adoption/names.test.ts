import { describe, expect, it } from 'vitest';
import { resourceNames, wordsOf } from './names.ts';

const relation = (schema: string, name: string) => ({ schema, name, table: name });

describe('names of resources', () => {
  it('keeps a table’s name, and makes one where it is none for a resource', () => {
    expect(
      ['user_roles', 'price.list', '2nd', 'ÜBER\nTABLE', ' ', '日本'].map(
        (name) => resourceNames([relation('public', name)])[0],
      ),
    ).toEqual(['user_roles', 'price_list', 't_2nd', 'UBER_TABLE', 't_', 't_']);
    expect(resourceNames([relation('public', 'x'.repeat(90))])[0]).toHaveLength(63);
  });

  it('tells tables apart by their schema, then by a number', () => {
    expect(
      resourceNames([
        relation('public', 'users'),
        relation('app', 'users'),
        relation('app', 'Users'),
        relation('app', 'app_users'),
      ]),
    ).toEqual(['users', 'app_users', 'Users-2', 'app_app_users']);
  });

  it('gives no two names that variables of the environment could not tell apart', () => {
    const names = resourceNames([
      relation('public', 'userRole'),
      relation('public', 'user_role'),
      relation('public', 'user-role'),
    ]);
    const variables = names.map((name) =>
      name
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .replaceAll('-', '_')
        .toUpperCase(),
    );
    expect(new Set(variables).size).toBe(3);
  });

  it('knows the singular and the plural of a name', () => {
    expect(wordsOf('users')).toContain('user');
    expect(wordsOf('Category')).toContain('categories');
    expect(wordsOf('addresses')).toContain('address');
    expect(wordsOf('order_items')).toContain('orderitem');
    expect(wordsOf('status')).not.toContain('statu');
  });
});
