export {
  Health,
  type HealthOptions,
  type HealthProbe,
  type NodeReading,
  ProbeFault,
} from './health.ts';
