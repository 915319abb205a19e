export { demoConfig, demoInitSql } from './demo-setup.ts';
export { createDriftMaker, type DriftMakerOptions } from './drift-maker.ts';
export { startDemoLoad, type DemoLoadOptions } from './load-process.ts';
export type { DemoLoad, DriftMaker } from './port.ts';
