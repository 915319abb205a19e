/** The controls: each breaks one protection, so that tests can show that they would notice. */
export const CONTROLS = [
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
] as const;

export type Control = (typeof CONTROLS)[number];

export function isControl(name: string): name is Control {
  return (CONTROLS as readonly string[]).includes(name);
}
