export {
  createHealth,
  type Health,
  type HealthCheck,
  type HealthOptions,
  type HealthProbe,
  type NodeReading,
  ProbeFault,
} from './health.ts';
