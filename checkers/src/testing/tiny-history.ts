/**
 * Tiny histories of one register: made so that an order explains them, by laying operations on a line and stretching
 * each to both sides; then perhaps changed at a place or two, so that often none does.
 */
import { isJsonObject, type JsonValue } from '@lockstep/shared';
import fc from 'fast-check';
import type { Answer, Call, Ending, History, Operation } from '../history.ts';

export const KEY = 'register:1';

/** What values look like, and which increments there are. */
export interface Flavour {
  name: string;
  values: readonly JsonValue[];
  field?: string;
  by: readonly number[];
}

export const FLAVOURS: readonly Flavour[] = [
  { name: 'few numbers', values: [0, 1, 2], by: [] },
  { name: 'numbers that only grow', values: [0, 10, 20], by: [1, 2] },
  { name: 'numbers that only shrink', values: [20, 10, 0], by: [-1, -2] },
  { name: 'numbers that grow and shrink', values: [0, 1, 2], by: [1, -1] },
  {
    name: 'rows',
    values: [
      { by: 'a', n: 0 },
      { by: 'b', n: 0 },
      { by: 'c', n: 1 },
    ],
    field: 'n',
    by: [1],
  },
];

interface Draft {
  kind: Call['op'];
  value: number;
  expect: number;
  by: number;
  /** How far it stretches to both sides, in places. */
  before: number;
  after: number;
  fate: 'answered' | 'silent' | 'unknown' | 'lost';
}

interface Change {
  what: 'answer' | 'interval' | 'ending';
  at: number;
  value: number;
  by: number;
}

const draft = (flavour: Flavour): fc.Arbitrary<Draft> =>
  fc.record({
    kind: fc.constantFrom<Call['op'][]>(
      'read',
      'read',
      'write',
      'write',
      'cas',
      'delete',
      ...(flavour.by.length > 0 ? (['increment', 'increment'] as const) : []),
    ),
    value: fc.nat({ max: flavour.values.length - 1 }),
    expect: fc.nat({ max: flavour.values.length - 1 }),
    by: fc.nat({ max: Math.max(flavour.by.length - 1, 0) }),
    before: fc.nat({ max: 4 }),
    after: fc.nat({ max: 4 }),
    fate: fc.constantFrom('answered', 'answered', 'answered', 'silent', 'unknown', 'lost'),
  });

const change: fc.Arbitrary<Change> = fc.record({
  what: fc.constantFrom('answer', 'interval', 'ending'),
  at: fc.nat({ max: 8 }),
  value: fc.nat({ max: 6 }),
  by: fc.nat({ max: 6 }),
});

/** Histories that some order explains. */
export const explained = (flavour: Flavour): fc.Arbitrary<History> =>
  fc
    .array(draft(flavour), { minLength: 1, maxLength: 14, size: 'max' })
    .map((drafts) => lay(drafts, flavour, []));

/** Histories that some order explained before up to three changes. */
export const perhapsExplained = (flavour: Flavour): fc.Arbitrary<History> =>
  fc
    .tuple(
      fc.array(draft(flavour), { minLength: 2, maxLength: 9, size: 'max' }),
      fc.array(change, { maxLength: 3 }),
    )
    .map(([drafts, changes]) => lay(drafts, flavour, changes));

interface Laid extends Draft {
  call: Call;
  ending: Ending;
  answer: Answer;
  code: string | null;
}

function lay(drafts: readonly Draft[], flavour: Flavour, changes: readonly Change[]): History {
  let value: JsonValue = null;
  const laid: Laid[] = drafts.map((each) => {
    const call = callOf(each, flavour);
    const [after, refusal] = apply(call, value);
    const happens = each.fate !== 'lost' || call.op === 'read';
    if (refusal === null && happens) value = after;
    return { ...each, call, ...endingOf(each, call, after, refusal) };
  });
  for (const each of changes) alter(laid, each, flavour);
  return historyOf(laid);
}

function callOf({ kind, value, expect, by }: Draft, { values, field, by: bys }: Flavour): Call {
  switch (kind) {
    case 'write':
      return { op: 'write', value: values[value] ?? null };
    case 'cas':
      return { op: 'cas', value: values[value] ?? null, expect: values[expect] ?? null };
    case 'increment': {
      const call: Call = { op: 'increment', by: bys[by] ?? 1 };
      return field === undefined ? call : { ...call, field };
    }
    case 'delete':
      return { op: 'delete' };
    default:
      return { op: 'read' };
  }
}

function apply(call: Call, value: JsonValue): [JsonValue, string | null] {
  switch (call.op) {
    case 'write':
      return [call.value, null];
    case 'cas':
      return JSON.stringify(call.expect) === JSON.stringify(value)
        ? [call.value, null]
        : [value, 'VALUE_MISMATCH'];
    case 'increment': {
      if (typeof value === 'number') return [value + call.by, null];
      if (!isJsonObject(value)) return [value, 'NOT_FOUND'];
      const name = call.field ?? '';
      return [{ ...value, [name]: Number(value[name]) + call.by }, null];
    }
    case 'delete':
      return value === null ? [value, 'NOT_FOUND'] : [null, null];
    default:
      return [value, null];
  }
}

function endingOf(
  { fate }: Draft,
  call: Call,
  after: JsonValue,
  refusal: string | null,
): Pick<Laid, 'ending' | 'answer' | 'code'> {
  if (fate === 'unknown' || fate === 'lost') return { ending: 'unknown', answer: {}, code: 'LOST' };
  if (refusal !== null) return { ending: 'fail', answer: {}, code: refusal };
  const isSilent = fate === 'silent' && call.op !== 'read';
  return { ending: 'ok', answer: isSilent ? {} : { value: after }, code: null };
}

function alter(laid: Laid[], { what, at, value, by }: Change, flavour: Flavour): void {
  const one = laid[at % laid.length];
  if (one === undefined) return;
  if (what === 'interval') {
    one.before = value % 3;
    one.after = by % 3;
  }
  if (what === 'answer' && one.ending === 'ok') {
    const other = laid[value % laid.length]?.answer.value;
    const fixed = [...flavour.values, null][by % (flavour.values.length + 1)];
    const answer = other ?? fixed;
    if (answer !== undefined) one.answer = { value: answer };
  }
  if (what === 'ending' && one.ending === 'ok') {
    one.ending = 'fail';
    one.answer = {};
    one.code = 'FENCED';
  }
}

/** Each operation stands at its place, 10 apart, and stretches so far that it overlaps its neighbours. */
function historyOf(laid: readonly Laid[]): History {
  const events = laid
    .flatMap((one, index) => [
      { index, isStart: true, at: 10 * index - 7 * one.before - 1 },
      { index, isStart: false, at: 10 * index + 7 * one.after + 1 },
    ])
    .sort((a, b) => a.at - b.at || a.index - b.index);
  const place = (index: number, isStart: boolean): number =>
    events.findIndex((event) => event.index === index && event.isStart === isStart);
  const operations = laid.map(({ call, ending, answer, code }, index): Operation => {
    const isOver = ending === 'ok' || ending === 'fail';
    const invoked = place(index, true);
    return {
      id: index + 1,
      client: index + 1,
      key: KEY,
      via: '',
      call,
      idempotencyKey: null,
      ending,
      answer,
      code,
      invoked,
      returned: isOver ? place(index, false) : Infinity,
      invokedAtMs: invoked,
      endedAtMs: place(index, false),
    };
  });
  return {
    header: { lockstepHistory: 1, resources: { register: { policy: 'strict' } } },
    operations: operations.sort((a, b) => a.invoked - b.invoked),
    initial: new Map(),
  };
}
