/**
 * A server as the network sees it.
 *
 * States
 *   up      does each request as it arrives
 *   hanging takes requests and does them, in order, when it goes on
 *   down    refuses connections; messages in flight to it are lost
 */
import type { ServerName } from '../plan/plan.ts';

export class Server {
  readonly name: ServerName;
  /** Ends of the exchanges that are not over: run where the server goes down. */
  readonly exchanges = new Set<() => void>();
  /** Told when connections are cut. */
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

  /** Connections are cut; callers that wait for an answer learn that none will come. */
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
