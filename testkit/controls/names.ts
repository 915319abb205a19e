/** The controls: each breaks one protection, so that tests can show that they would notice. */
export const ENGINE_CONTROLS = [
  'no-fence',
  'no-intent',
  'expiring-intent',
  'blind-fill',
  'blind-publish',
  'ack-before-publish',
  'outbox-outside-transaction',
  'release-without-owner',
  'join-older-flight',
  'clear-without-fence',
  'combine-acks-before-publish',
  'combine-resends-unknown',
  'rollback-clears-without-fence',
] as const;

/** Those that break the client, not the coordinators. */
export const CLIENT_CONTROLS = ['direct-read-ignores-intent', 'blind-computed-fill'] as const;

/** Those that break how a client follows invalidation streams. */
export const LOCAL_CONTROLS = ['local-without-gap-check'] as const;

/** Those that break what callers must do in their own transactions. */
const CALLER_CONTROLS = ['transaction-without-guard'] as const;

export const CONTROLS = [
  ...ENGINE_CONTROLS,
  ...CLIENT_CONTROLS,
  ...LOCAL_CONTROLS,
  ...CALLER_CONTROLS,
] as const;

export type EngineControl = (typeof ENGINE_CONTROLS)[number];
export type ClientControl = (typeof CLIENT_CONTROLS)[number];
export type LocalControl = (typeof LOCAL_CONTROLS)[number];
export type Control = (typeof CONTROLS)[number];

export const isControl = (name: string): name is Control => isOneOf(CONTROLS, name);
export const isEngineControl = (name: string): name is EngineControl =>
  isOneOf(ENGINE_CONTROLS, name);
export const isClientControl = (name: string): name is ClientControl =>
  isOneOf(CLIENT_CONTROLS, name);

export const isLocalControl = (name: string): name is LocalControl => isOneOf(LOCAL_CONTROLS, name);

const isOneOf = (names: readonly string[], name: string): boolean => names.includes(name);
