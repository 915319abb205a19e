export { createHttpPeers } from './http-peers.ts';
export { Membership } from './membership.ts';
export { FORWARDED_BY, FORWARDED_TO, Router, type RoutingCounts } from './router.ts';
export { createMembershipStore, liveMembers } from './sql-membership-store.ts';
export type * from './port.ts';
