import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, beforeAll } from 'vitest';
import type { ClientEvents } from '../../src/index.ts';

/** What the client tells on a channel while `work` runs. */
export async function heard<Name extends keyof ClientEvents>(
  name: Name,
  work: () => Promise<unknown>,
): Promise<ClientEvents[Name][]> {
  const events: ClientEvents[Name][] = [];
  const listen = (event: unknown): void => void events.push(event as ClientEvents[Name]);
  subscribe(name, listen);
  try {
    await work();
  } finally {
    unsubscribe(name, listen);
  }
  return events;
}

/** What all clients of this file tell on a channel. */
export function listenTo<Name extends keyof ClientEvents>(name: Name): ClientEvents[Name][] {
  const events: ClientEvents[Name][] = [];
  const listen = (event: unknown): void => void events.push(event as ClientEvents[Name]);
  beforeAll(() => subscribe(name, listen));
  afterAll(() => void unsubscribe(name, listen));
  return events;
}

/** What a call rejects with. */
export const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => Promise.reject(new Error(`It was answered: ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );
