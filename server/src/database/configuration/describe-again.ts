import { isOfSchema } from '../connections/statement-failure.ts';
import type { Catalog } from '../port.ts';

/** Looks at a table that is dropped and made anew all the time; after that it counts as one that is not there. */
const MAX_LOOKS = 4;

/**
 * The catalog, which describes a table again if it was dropped while it was described. The tables of all resources are
 * described together, so an error about one of them would fail the calls of the others.
 */
export function describingAgain(catalog: Catalog): Catalog {
  return {
    ...catalog,
    async describeTable(table) {
      for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
        try {
          return await catalog.describeTable(table);
        } catch (error) {
          if (!isOfSchema(error)) throw error;
        }
      }
      return null;
    },
  };
}
