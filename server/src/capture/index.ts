export {
  captureFaults,
  captureStatus,
  installCapture,
  notesOtherTriggers,
  type TableCapture,
  uninstallCapture,
} from './capture.ts';
