export * from './history.ts';
export { parseHistory, HistoryReader } from './reader.ts';
export { HistoryRecorder, type RecorderParts } from './recorder.ts';
export { parseJepsenEtcd } from './jepsen-etcd.ts';
export { type Verdict, type Violation } from './verdict.ts';
export { checkValues, type ValueJudgement, type ValueOptions } from './values/checker.ts';
export { checkVersions } from './versions/checker.ts';
export { judge, type Judgement } from './judge.ts';
export { describeOperation, describeViolation } from './describe.ts';
