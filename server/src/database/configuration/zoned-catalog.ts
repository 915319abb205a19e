import { type Column, type ColumnType, isUtc, TimeZone } from '../../domain/index.ts';
import type { Catalog, DescribedTable } from '../port.ts';

/** The catalog, in which times without a zone are those of `database.timeZone`. */
export function zonedCatalog(catalog: Catalog, name: string): Catalog {
  const zone = TimeZone.named(name);
  if (zone === null || isUtc(name)) return catalog;
  return {
    ...catalog,
    describeTable: async (table) => {
      const described = await catalog.describeTable(table);
      return described === null ? null : zoned(described, zone);
    },
  };
}

function zoned(table: DescribedTable, zone: TimeZone): DescribedTable {
  const columns = table.columns.map((column) => {
    const type = zonedType(column, zone);
    return type === column.type ? column : { ...column, type };
  });
  const filled = zone.isFixed ? undefined : columns.find(({ filledWithNow }) => filledWithNow);
  const unfit =
    filled === undefined
      ? table.unfit
      : `has the column ${filled.name} (${filled.sqlType}), which the server would fill with the time of Lockstep's session, UTC; ` +
        'allowed beside database.timeZone: timestamp, a default that does not ask the clock, or an offset such as +01:00';
  return { ...table, columns, unfit: table.unfit ?? unfit };
}

function zonedType({ type, sqlType, baseType = sqlType }: Column, zone: TimeZone): ColumnType {
  if (type !== 'timestamp' && type !== 'timestamp[]') return type;
  const isZoneless = /without time zone/.test(baseType) || /^datetime/i.test(sqlType);
  // MySQL shows a `timestamp` in the session's zone, which is this one if its offset is fixed.
  const isOfSession = zone.isFixed && /^timestamp/i.test(sqlType) && !/with/.test(baseType);
  if (!isZoneless && !isOfSession) return type;
  return type === 'timestamp' ? `timestamp@${zone.name}` : `timestamp@${zone.name}[]`;
}
