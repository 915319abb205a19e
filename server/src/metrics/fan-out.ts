import type { Telemetry } from '../domain/index.ts';

/** Hands each event to every consumer, in order. */
export function fanOut(consumers: readonly Telemetry[]): Telemetry {
  return {
    emit(event) {
      for (const consumer of consumers) consumer.emit(event);
    },
  };
}
