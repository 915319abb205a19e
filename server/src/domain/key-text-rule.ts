import type { KeyTextRule } from '@lockstep/shared';
import type { Column } from './column.ts';
import { isDerived } from './derived-query.ts';
import type { Resource } from './resource.ts';

/**
 * How a reader of entries makes the text of a key's part, where that is exactly and simply what `makeKey` makes. A value
 * that `makeKey` refuses may have a text by the rule: no entry has it.
 */
export function keyTextRule({
  type,
  range,
  members,
  enumeration,
  looseEquality,
}: Column): KeyTextRule {
  // Blanks at the end of a padded text are left out of some cache keys.
  if (looseEquality === 'padding' || members !== undefined || enumeration === true)
    return 'coordinator';
  switch (type) {
    case 'integer':
    case 'bigint':
      return 'whole';
    case 'uuid':
    case 'text':
      return type;
    case 'boolean':
      // MySQL's is a small whole number, of which `true` is one spelling.
      return range === null ? 'boolean' : 'coordinator';
    default:
      return 'coordinator';
  }
}

/** The same for a part of the resource's key. */
export function keyPartRule(resource: Resource, column: Column): KeyTextRule {
  const { looseEquality, ...exact } = column;
  if (!isDerived(resource) || looseEquality !== 'padding') return keyTextRule(column);
  return keyTextRule(exact) === 'text' ? 'trimmed' : 'coordinator';
}
