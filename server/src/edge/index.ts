export { hostFault, originFault, type OriginRule } from './origin.ts';
export { createEdge, type EdgeBounds, type EdgeOptions, type LiveDoor } from './server.ts';
