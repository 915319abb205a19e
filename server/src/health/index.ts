export {
  Health,
  type HealthCheck,
  type HealthOptions,
  type HealthProbe,
  type NodeReading,
  ProbeFault,
  type Readiness,
} from './health.ts';
