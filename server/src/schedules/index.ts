export { claimLease, type Claim, type JobLease, type LeaseStore } from './lease.ts';
export { scheduleOf } from './schedule.ts';
export { ResourceScheduler, type ScheduledJob, type ScheduledOutcome } from './scheduler.ts';
