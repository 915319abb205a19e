import type { Dialect } from './dialect.ts';
import { mysql } from './mysql/dialect.ts';
import { postgres } from './postgres/dialect.ts';
import type { DatabaseClient } from './statements/sql.ts';

/** The supported databases. A third one is a folder and a line here (docs/recipes.md). */
export const DIALECTS: Readonly<Record<DatabaseClient, Dialect>> = { pg: postgres, mysql2: mysql };
