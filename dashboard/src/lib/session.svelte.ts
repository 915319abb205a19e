/**
 * Who is signed in.
 *
 * States:
 *   checking     asking the coordinator whether the token is valid, or whether none is needed
 *   signed-out   a token is needed
 *   signed-in    the live stream is open
 *   unreachable  the coordinator does not answer
 */
import type { ResourceSummary, Session as SessionInfo } from '@lockstep/shared';
import { api, ApiError, onRefused, useToken } from './api.ts';
import { live } from './live.svelte.ts';

type Phase = 'checking' | 'signed-out' | 'signed-in' | 'unreachable';

const STORAGE_KEY = 'lockstep.token';

class Session {
  #phase = $state<Phase>('checking');
  #info = $state.raw<SessionInfo | null>(null);
  #resources = $state.raw<ResourceSummary[]>([]);
  #notice = $state('');
  #token: string | null = null;

  get phase(): Phase {
    return this.#phase;
  }
  get info(): SessionInfo | null {
    return this.#info;
  }
  /** The configured resources. */
  get resources(): ResourceSummary[] {
    return this.#resources;
  }
  /** Why a token is needed, if that needs an explanation. */
  get notice(): string {
    return this.#notice;
  }

  /** Takes a token from the address or from this tab's storage, and tries it. */
  async start(): Promise<void> {
    onRefused(() => this.#refuse());
    this.#token = takeFromAddress() ?? sessionStorage.getItem(STORAGE_KEY);
    await this.#check('');
  }

  async signIn(token: string): Promise<void> {
    this.#token = token.trim();
    await this.#check('This token is not an admin token of this coordinator.');
  }

  /** Tries again after the coordinator was out of reach. */
  async retry(): Promise<void> {
    this.#phase = 'checking';
    await this.#check('');
  }

  signOut(): void {
    this.#leave('');
  }

  async #check(notice: string): Promise<void> {
    const tried = this.#token;
    useToken(tried);
    try {
      const info = await api.session();
      const resources = await api.resources();
      if (tried !== null) sessionStorage.setItem(STORAGE_KEY, tried);
      this.#info = info;
      this.#resources = resources;
      this.#notice = '';
      this.#phase = 'signed-in';
      live.open(tried, () => this.#refuse());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const wrong = error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN';
      if (wrong) this.#leave(tried === null ? '' : notice || 'Please sign in again.');
      else if (this.#phase === 'checking') this.#phase = 'unreachable';
      this.#notice = wrong ? this.#notice : error.message;
    }
  }

  #refuse(): void {
    if (this.#phase === 'signed-in') {
      this.#leave('The coordinator no longer accepts this token. Please sign in again.');
    }
  }

  #leave(notice: string): void {
    sessionStorage.removeItem(STORAGE_KEY);
    this.#token = null;
    useToken(null);
    live.close();
    this.#info = null;
    this.#resources = [];
    this.#notice = notice;
    this.#phase = 'signed-out';
  }
}

/** Reads `#/signin?token=…` and takes the token out of the address and the history. */
function takeFromAddress(): string | null {
  const match = /^#\/signin\?(.*)$/.exec(location.hash);
  if (match === null) return null;
  history.replaceState(history.state, '', '#/');
  window.dispatchEvent(new HashChangeEvent('hashchange'));
  const token = new URLSearchParams(match[1]).get('token');
  return token === null || token === '' ? null : token;
}

export const session = new Session();
