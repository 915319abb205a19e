export { BackgroundLoop } from './background-loop.ts';
export { Backoff, type BackoffOptions, backoffMs } from './backoff.ts';
export {
  type Election,
  Leadership,
  type LeadershipStore,
  type LeadershipTerm,
} from './leadership.ts';
export { scheduleOf } from './schedule.ts';
export { ScheduledJob } from './scheduled-job.ts';
export { ScheduledJobs, type ScheduledJobSpec } from './scheduled-jobs.ts';
export { WakeUp } from './wake-up.ts';
