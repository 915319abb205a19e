export {
  captureFaults,
  captureStatus,
  installCapture,
  type TableCapture,
  uninstallCapture,
} from './capture.ts';
