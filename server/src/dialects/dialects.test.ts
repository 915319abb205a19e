import { describe, expect, it } from 'vitest';
import { checkStatements, unusedFiles } from '../database/statements/sql-files.ts';
import { DATABASE_CLIENTS, DIALECTS } from './index.ts';
// These read the SQL files of every capability.
import '../adoption/index.ts';
import '../coordinator/index.ts';

describe.each(DATABASE_CLIENTS)('the dialect %s', (client) => {
  const dialect = DIALECTS[client];

  it('is listed by its own name', () => {
    expect(dialect.client).toBe(client);
  });

  it('has every statement that a capability uses, and no other one', () => {
    expect(() => checkStatements(dialect)).not.toThrow();
    expect(unusedFiles(dialect)).toEqual([]);
  });
});
