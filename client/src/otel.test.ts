import { describe, expect, it } from 'vitest';
import { channelOf } from './events.ts';
import { observe } from './otel.ts';

describe('OpenTelemetry', () => {
  it('is told what the client tells, until it is ended', () => {
    const measured: unknown[] = [];
    const note = (name: string) => (value: number, attributes?: object) =>
      void measured.push([name, value, attributes]);
    const spans: unknown[] = [];
    const end = observe({
      meter: {
        createCounter: (name) => ({ add: note(name) }),
        createHistogram: (name) => ({ record: note(name) }),
        createGauge: (name) => ({ record: note(name) }),
      },
      tracer: {
        startSpan: (name, options) => {
          spans.push([name, options?.attributes]);
          return { setStatus: (status) => spans.push(status), end: () => undefined };
        },
      },
    });
    const operation = { op: 'put', resource: 'account', durationMs: 5, attempts: 2 };
    channelOf('lockstep:operation').publish({
      ...operation,
      code: 'FENCED',
      outcome: 'not_applied',
    });
    channelOf('lockstep:read').publish({ resource: 'account', from: 'cache' });
    const confirmed = { event: 'confirmed', lagMs: 12, bytes: 500, entries: 1 } as const;
    channelOf('lockstep:local').publish(confirmed);
    channelOf('lockstep:local').publish({ ...confirmed, lagMs: null, bytes: 0 });
    channelOf('lockstep:local').publish({ event: 'emptied', resource: null, why: 'lag' });
    channelOf('lockstep:local').publish({ event: 'emptied', resource: 'a', why: 'gap' });
    end();
    channelOf('lockstep:read').publish({ resource: 'account', from: 'cache' });
    expect(measured).toEqual([
      ['lockstep.client.operation.duration', 5, { op: 'put', resource: 'account', code: 'FENCED' }],
      ['lockstep.client.reads', 1, { resource: 'account', from: 'cache' }],
      ['lockstep.client.local.lag', 12, undefined],
      ['lockstep.client.local.bytes', 500, undefined],
      ['lockstep.client.local.bytes', 0, undefined],
      ['lockstep.client.local.emptied', 1, { why: 'lag' }],
      ['lockstep.client.local.emptied', 1, { why: 'gap', resource: 'a' }],
    ]);
    expect(spans).toEqual([
      [
        'lockstep put',
        { 'lockstep.op': 'put', 'lockstep.resource': 'account', 'lockstep.attempts': 2 },
      ],
      { code: 2, message: 'FENCED' },
    ]);
  });
});
