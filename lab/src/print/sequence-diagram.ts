/** A trace as a sequence diagram in text, with a lifeline for each participant and an arrow for each step. */
import type { Trace } from '../explore/explore.ts';
import type { Move } from '../explore/machine.ts';
import { CRASH } from '../model/process.ts';
import { wrapped } from './lines.ts';

const WIDTH = 100;
const MARGIN = 4;
/** Callers come first, in the order of their first step; then these, in this order. */
const SERVERS = [
  'Recovery',
  'Relay',
  'Consumer',
  'Subscriber',
  'Router',
  'Home 1',
  'Home 2',
  'Lock',
  'Queue',
  'Cache',
  'Database',
  'Replica',
];

/** The participants of a trace, from left to right. */
export function lifelinesOf({ steps }: Trace): string[] {
  const names = [...new Set(steps.flatMap(({ from, to }) => [from, to]))];
  const callers = names.filter((name) => !SERVERS.includes(name)).sort((a, b) => rank(a) - rank(b));
  return [...callers, ...SERVERS.filter((name) => names.includes(name))];
}

const rank = (name: string): number => (name.startsWith('Writer') ? 0 : 1);

/** The diagram is at most 100 columns wide. */
export function sequenceDiagram(trace: Trace): string {
  const names = lifelinesOf(trace);
  const lane = Math.max(10, ...names.map((name) => name.length + 2));
  const lines = [heading(names, lane), lifelines(names, lane, new Set())];
  const crashed = new Set<string>();
  for (const [index, move] of trace.steps.entries()) {
    lines.push(...step(index + 1, move, { names, lane, crashed }));
    if (move.fault === CRASH) crashed.add(move.from);
  }
  lines.push(lifelines(names, lane, crashed), '', ...wrapped(trace.ending, WIDTH));
  return lines.map((line) => line.trimEnd()).join('\n');
}

interface Lanes {
  names: readonly string[];
  lane: number;
  crashed: ReadonlySet<string>;
}

const left = (lane: number): number => Math.floor((lane - 1) / 2);

function heading(names: readonly string[], lane: number): string {
  const centred = names.map((name) => {
    const before = ' '.repeat(left(lane) - Math.floor((name.length - 1) / 2));
    return `${before}${name}`.padEnd(lane);
  });
  return ' '.repeat(MARGIN) + centred.join('');
}

function lifelines(names: readonly string[], lane: number, crashed: ReadonlySet<string>): string {
  const lanes = names.map((name) => {
    const line = crashed.has(name) ? ' ' : '│';
    return `${' '.repeat(left(lane))}${line}`.padEnd(lane);
  });
  return ' '.repeat(MARGIN) + lanes.join('');
}

/** The arrow of a step with its text, which may take several lines. */
function step(number: number, move: Move, lanes: Lanes): string[] {
  const { names, lane, crashed } = lanes;
  const margin = `${String(number).padStart(MARGIN - 1)} `;
  const column = MARGIN + (names.length - 1) * lane + left(lane) + 3;
  const beside = (drawn: string, text: string): string =>
    drawn.slice(0, column).padEnd(column) + text;
  const [said = '', ...more] = wrapped(words(move), WIDTH - column);
  return [
    beside(margin + arrow(move, lanes), said),
    ...more.map((text) => beside(lifelines(names, lane, crashed), text)),
  ];
}

function words({ label, note, fault }: Move): string {
  return `${fault === null ? '' : '✗ '}${label}${note === '' ? '' : ` → ${note}`}`;
}

function arrow({ from, to }: Move, { names, lane, crashed }: Lanes): string {
  const [start, end] = [names.indexOf(from), names.indexOf(to)];
  const [first, last] = [Math.min(start, end), Math.max(start, end)];
  const cells = names.map((name, at) => {
    const isInside = at > first && at < last;
    const line = crashed.has(name) ? ' ' : '│';
    const before = (at > first && at <= last ? '─' : ' ').repeat(left(lane));
    const after = (at >= first && at < last ? '─' : ' ').repeat(lane - 1 - left(lane));
    if (start === end && at === start) return `${before}●${after}`;
    if (at === start) return `${before}${end > start ? '├' : '┤'}${after}`;
    if (at === end)
      return end > start
        ? `${before.slice(1)}▶${line}${after}`
        : `${before}${line}◀${after.slice(1)}`;
    return `${before}${isInside && line === '│' ? '┼' : isInside ? '─' : line}${after}`;
  });
  return cells.join('');
}
