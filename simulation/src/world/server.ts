/**
 * A server as the network sees it.
 *
 * States
 *   up      carries out each request when it arrives
 *   hanging accepts requests, and carries them out in order when it continues
 *   down    refuses connections; messages in flight to it are lost
 */
import type { ServerName } from '../plan/plan.ts';

export class Server {
  readonly name: ServerName;
  /** Functions that end the open exchanges, called when the server goes down. */
  readonly exchanges = new Set<() => void>();
  /** Called when connections are cut. */
  onCut: () => void = () => {};
  #state: 'up' | 'hanging' | 'down' = 'up';
  #held: (() => void)[] = [];

  constructor(name: ServerName) {
    this.name = name;
  }

  get isDown(): boolean {
    return this.#state === 'down';
  }

  receive(arrive: () => void): void {
    if (this.#state === 'up') arrive();
    else if (this.#state === 'hanging') this.#held.push(arrive);
  }

  /** Cuts connections. Callers that wait for an answer learn that none will come. */
  goDown(): void {
    this.#state = 'down';
    this.#held = [];
    this.onCut();
    for (const cut of [...this.exchanges]) cut();
  }

  hang(): void {
    if (this.#state === 'up') this.#state = 'hanging';
  }

  comeUp(): void {
    this.#state = 'up';
    const held = this.#held;
    this.#held = [];
    for (const arrive of held) arrive();
  }
}
