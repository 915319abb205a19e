export { createEdge, type EdgeBounds, type EdgeOptions, type LiveDoor } from './server.ts';
