/**
 * Words
 *   member   a coordinator whose heartbeats reach the database
 *   home     the member that serves a key's requests best, because the key's queue and its lock are there
 *   forward  sending a request to another member and passing its answer on
 *
 * Being home is no permission: any member may serve any key at any moment, and two members may both believe that they
 * are its home. Locks, intents and fences keep writes apart, as everywhere.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** `serve`: a call is served where it arrives. `forward`: calls of one key go to its home. */
export type RoutingMode = 'serve' | 'forward';

export interface Member {
  /** Its name among the coordinators; lease ids carry it. */
  instance: string;
  /** Where the other members reach it: scheme, host and port. */
  url: string;
  isSelf: boolean;
  /** Whether it is stopping: it is home of no key, but still serves its leases. */
  isLeaving: boolean;
  /** The age of its last heartbeat when the database was asked, in ms. */
  seenAgoMs: number;
  /** How long it had been a member when the database was asked, in ms. */
  upMs: number;
}

/** A member's own row. */
export interface OwnRow {
  instance: string;
  url: string;
  isLeaving: boolean;
  /** How long the row counts after a heartbeat, by the database's clock. */
  expiryMs: number;
}

/** The members as the database knows them; only its clock decides who is alive. Rejects with `DATABASE_UNAVAILABLE`. */
export interface MembershipStore {
  /** Writes the own row and returns all live members, including itself. */
  beat(own: OwnRow): Promise<Member[]>;
  /** Removes a member's row, if it is there. */
  remove(instance: string): Promise<void>;
  /** Removes rows of members that have been dead for long. */
  prune(): Promise<void>;
}

/** A request as it is sent to another member. */
export interface PeerCall {
  method: string;
  /** Path and query, as the caller wrote them. */
  target: string;
  /** As in `IncomingMessage.rawHeaders`; those that belong to the caller's connection are left out on the way. */
  rawHeaders: readonly string[];
  body: Buffer | null;
  /** These replace headers of the same names that the caller sent. */
  extraHeaders: Readonly<Record<string, string>>;
}

/** Another member's answer, which is passed on unchanged. */
export interface PeerAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Name, value, name, value …, without those that belong to the connection. */
  rawHeaders: readonly string[];
  bytes: Buffer;
}

/** `not-sent`: the member got nothing of it. `unanswered`: it may have done what was asked. */
export type PeerResult =
  | { kind: 'answered'; answer: PeerAnswer }
  | { kind: 'not-sent'; reason: string }
  | { kind: 'unanswered'; reason: string };

/** Connections to other members. */
export interface Peers {
  /** Never rejects. When `signal` aborts, or after `timeoutMs`, it resolves without an answer. */
  send(url: string, call: PeerCall, timeoutMs: number, signal: AbortSignal): Promise<PeerResult>;
  close(): void;
}

/** Where a call is served, decided when it arrives. */
export interface Plan {
  /** The member to forward it to; null: it is served here. */
  to: Member | null;
  /** Why it goes there. `lease`: that member granted the lease, and no other one can serve it. */
  why: 'home' | 'lease';
  /** The key's home if that is another member; null if it is this one or not known. */
  home: Member | null;
}

/** What the plan of a call depends on. */
export interface CallFacts {
  /** Whether another member forwarded it here: it is then served here. */
  isForwarded: boolean;
  leaseId?: string | undefined;
}

/** A call that another member is to answer. */
export interface ForwardedCall extends Omit<PeerCall, 'extraHeaders'> {
  requestId: string;
  /** Reads may be asked twice; writes only by their idempotency key. */
  kind: 'read' | 'write';
  hasIdempotencyKey: boolean;
  /** The caller's limit on its wait for the key. */
  waitTimeoutMs?: number | undefined;
}

/**
 * The result of forwarding. `here`: nothing of the call was carried out there, serve it here. `repeat`: serve it here
 * by its idempotency key; if that fails, it may still have been applied there. `waitLeftMs`: the rest of the wait for
 * the key.
 */
export type Forwarded =
  { kind: 'answered'; answer: PeerAnswer } | { kind: 'here' | 'repeat'; waitLeftMs: number };
