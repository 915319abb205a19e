import { parseYaml } from '../config/index.ts';
import airportsSql from './airports.sql?raw';
import { readAirports, readRoutes } from './data-set.ts';
import configText from './demo.config.yaml?raw';
import routesSql from './routes.sql?raw';
import schemaSql from './schema.sql?raw';

/** The demo's configuration as a user would write it: not parsed into defaults yet. */
export function demoConfig(): unknown {
  return parseYaml('demo.config.yaml', configText);
}

/**
 * Tables and rows of the demo, about 1 MB of SQL without transaction commands: meant for an embedded database's first
 * start, which runs it in one transaction with its marker. It does no harm where it has run before.
 */
export function demoInitSql(): string {
  return [
    schemaSql,
    withRows(airportsSql, readAirports()),
    withRows(routesSql, readRoutes()),
    'analyze airports, routes;',
  ].join('\n');
}

function withRows(sql: string, rows: readonly object[]): string {
  const json = JSON.stringify(rows);
  return sql.replace('{{rows}}', () => `'${json.replaceAll("'", "''")}'`);
}
