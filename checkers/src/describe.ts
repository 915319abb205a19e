import { canonical, type Call, type Operation } from './history.ts';
import type { Violation } from './verdict.ts';

/** Operations of a violation that are shown. */
const MAX_SHOWN = 8;
const MAX_VALUE_LENGTH = 80;

/** A violation as a short excerpt: what is wrong, then the operations that show it, by time. */
export function describeViolation({ rule, key, message, operations }: Violation): string {
  const shown = [...operations].sort((a, b) => a.invoked - b.invoked).slice(0, MAX_SHOWN);
  const more = operations.length - shown.length;
  const lines = [
    `${rule}  ${key}: ${message}`,
    ...shown.map((one) => `  ${describeOperation(one)}`),
  ];
  if (more > 0) lines.push(`  and ${more} more`);
  return lines.join('\n');
}

/** One operation in one line. */
export function describeOperation(operation: Operation): string {
  const { id, client, via, call, invokedAtMs, endedAtMs } = operation;
  const until = endedAtMs === Infinity ? 'the end' : `${endedAtMs} ms`;
  const way = via === '' ? '' : ` by ${via}`;
  return (
    `#${id} client ${client}${way}, ${invokedAtMs} ms to ${until}: ` +
    `${describeCall(call)} -> ${describeEnding(operation)}`
  );
}

function describeCall(call: Call): string {
  switch (call.op) {
    case 'read':
      return `read${call.primary === true ? ' primary' : ''}`;
    case 'cache-read':
      return 'read of the cache';
    case 'write':
      return `write ${short(canonical(call.value))}`;
    case 'increment':
      return `increment ${call.field ?? ''} by ${call.by}`.replace('  ', ' ');
    case 'cas': {
      const version = call.ifMatch === undefined ? '' : ` if version ${call.ifMatch}`;
      const value = call.expect === undefined ? '' : ` if ${short(canonical(call.expect))}`;
      return `write ${short(canonical(call.value))}${version}${value}`;
    }
    case 'delete':
      return 'delete';
  }
}

function describeEnding({ ending, answer, code }: Operation): string {
  if (ending !== 'ok') return code === null ? ending : `${ending} ${code}`;
  const parts = ['ok'];
  if (answer.version !== undefined) parts.push(`version ${answer.version}`);
  if (answer.value !== undefined) parts.push(short(canonical(answer.value)));
  if (answer.cache !== undefined) parts.push(`cache ${answer.cache}`);
  if (answer.source !== undefined) parts.push(`from ${answer.source}`);
  return parts.join(' ');
}

const short = (text: string): string =>
  text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}…`;
