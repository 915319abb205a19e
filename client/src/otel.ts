/**
 * OpenTelemetry without a dependency on it: give it a meter, a tracer, or both, of whatever version of its API.
 *
 *   observe({ meter: metrics.getMeter('lockstep'), tracer: trace.getTracer('lockstep') })
 */
import { type ClientEvents, channelOf, type EventName } from './events.ts';

type Attributes = Record<string, string | number>;

/** What is used of OpenTelemetry's `Meter`. */
export interface MeterLike {
  createCounter(
    name: string,
    options?: { description?: string },
  ): { add(value: number, attributes?: Attributes): void };
  createHistogram(
    name: string,
    options?: { description?: string; unit?: string },
  ): { record(value: number, attributes?: Attributes): void };
  /** Absent: what is kept in memory is not measured in bytes. */
  createGauge?(
    name: string,
    options?: { description?: string; unit?: string },
  ): { record(value: number, attributes?: Attributes): void };
}

/** What is used of OpenTelemetry's `Tracer`. */
export interface TracerLike {
  startSpan(
    name: string,
    options?: { kind?: number; startTime?: number; attributes?: Attributes },
  ): {
    setStatus(status: { code: number; message?: string }): unknown;
    end(endTime?: number): void;
  };
}

export interface ObserveOptions {
  meter?: MeterLike;
  /** A span for each call to the coordinator. */
  tracer?: TracerLike;
}

const CLIENT_KIND = 2;
const ERROR_STATUS = 2;

/** Measures all clients of this process. @returns what ends it */
export function observe({ meter, tracer }: ObserveOptions): () => void {
  const ends = [
    ...(meter === undefined ? [] : observeByMeter(meter)),
    ...(tracer === undefined ? [] : [observeByTracer(tracer)]),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function observeByMeter(meter: MeterLike): (() => void)[] {
  const reads = meter.createCounter('lockstep.client.reads', {
    description: 'Reads, by where their answer came from',
  });
  const durations = meter.createHistogram('lockstep.client.operation.duration', {
    description: 'Calls to the coordinator, retries included',
    unit: 'ms',
  });
  const sizes = meter.createHistogram('lockstep.client.batch.operations', {
    description: 'Operations that went in one request',
  });
  const retries = meter.createCounter('lockstep.client.retries', { description: 'Retries' });
  return [
    ...observeMemory(meter),
    on('lockstep:read', ({ resource, from, reason }) =>
      reads.add(1, { resource, from, ...(reason === undefined ? {} : { reason }) }),
    ),
    on('lockstep:operation', ({ op, resource, code, durationMs }) =>
      durations.record(durationMs, { op, resource, code: code ?? 'ok' }),
    ),
    on('lockstep:batch', ({ kind, operations }) => sizes.record(operations, { kind })),
    on('lockstep:retry', ({ op, resource, code }) => retries.add(1, { op, resource, code })),
  ];
}

/** Of resources of level `local`. */
function observeMemory(meter: MeterLike): (() => void)[] {
  const lags = meter.createHistogram('lockstep.client.local.lag', {
    description: 'How old an answer from memory could be, just before it was confirmed anew',
    unit: 'ms',
  });
  const emptied = meter.createCounter('lockstep.client.local.emptied', {
    description: 'How often values in memory were forgotten, of a resource or of all, by why',
  });
  const bytes = meter.createGauge?.('lockstep.client.local.bytes', {
    description: 'What is kept in memory, counted from above',
    unit: 'By',
  });
  return [
    on('lockstep:local', (event) => {
      if (event.event === 'emptied') {
        const { why, resource } = event;
        emptied.add(1, { why, ...(resource === null ? {} : { resource }) });
        return;
      }
      if (event.lagMs !== null) lags.record(event.lagMs);
      bytes?.record(event.bytes);
    }),
  ];
}

const observeByTracer = (tracer: TracerLike): (() => void) =>
  on('lockstep:operation', ({ op, resource, code, attempts, durationMs }) => {
    const endTime = Date.now();
    const span = tracer.startSpan(`lockstep ${op}`, {
      kind: CLIENT_KIND,
      startTime: endTime - durationMs,
      attributes: {
        'lockstep.op': op,
        'lockstep.resource': resource,
        'lockstep.attempts': attempts,
      },
    });
    if (code !== null) span.setStatus({ code: ERROR_STATUS, message: code });
    span.end(endTime);
  });

function on<Name extends EventName>(
  name: Name,
  heard: (event: ClientEvents[Name]) => void,
): () => void {
  const listener = (event: unknown): void => heard(event as ClientEvents[Name]);
  const channel = channelOf(name);
  channel.subscribe(listener);
  return () => void channel.unsubscribe(listener);
}
