/** The command line that runs a TypeScript program of this package. */
export function programCommand(file: string, ...args: readonly string[]): string {
  const words = [process.execPath, '--import', import.meta.resolve('tsx'), file, ...args];
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}
