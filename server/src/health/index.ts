export {
  createHealth,
  type Health,
  type HealthCheck,
  type HealthOptions,
  type HealthProbe,
  type NodeReading,
} from './health.ts';
