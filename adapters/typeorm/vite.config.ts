import { adapterConfig } from '../../scripts/vite-adapter.mjs';

export default adapterConfig(import.meta.dirname);
