import type { Rule } from '../findings.ts';

/** What a reader can do wrong, and the rule by which the kit must find it. */
export const FAULTS = {
  'asks the coordinator for everything': 'reads',
  'rounds numbers': 'form',
  'reads by GET': 'RP1',
  'does not look which server it reads': 'RP1',
  'looks only at its first connection’s server': 'RP1',
  'makes a cache key of every key': 'RP2',
  'escapes nothing in cache keys': 'RP2',
  'answers what stands in any entry': 'RP3',
  'answers the value before an intent': 'RP3',
  'takes the body null for a value': 'RP4',
  'does not look at owners': 'RP5',
  'does not ask again after another owner': 'RP5',
  'answers a body that is no JSON': 'RP6',
  'sends unanswered commands again': 'RP7',
  'takes every failure for an absent row': 'RP7',
  'forgets what a session has seen': 'RP8',
  'keeps values for a second': 'RP9',
  'shares replies with later calls': 'RP9',
  'never asks for the resources again': 'RP10',
  'reads what is not readable': 'RP10',
  'extends the TTL of what it reads': 'RP11',
  'fills what is missing': 'RP11',
} as const satisfies Record<string, Rule>;

export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];
