import js from '@eslint/js';
import globals from 'globals';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

/** `policy === 'x'`, `'x' !== a?.policy`, `switch (a.policy)` and the like. */
const operands = ['name', 'property.name', 'expression.property.name'];
const policyComparison = [
  ...['left', 'right'].flatMap((side) =>
    operands.map(
      (path) => `BinaryExpression[operator=/^[!=]==?$/][${side}.${path}=policy]:has(> Literal)`,
    ),
  ),
  ...operands.map((path) => `SwitchStatement[discriminant.${path}=policy]`),
].join(', ');

export default ts.config(
  {
    ignores: [
      '**/dist/',
      '**/dist-controls/',
      '**/node_modules/',
      '**/.lockstep/',
      '**/.stryker-tmp/',
      '**/test-results/',
      '**/playwright-report/',
    ],
  },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: globals.node,
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', '*.cjs'] },
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      // A JsonValue may be an object as far as its type knows; where it is put in text its kind has been checked.
      '@typescript-eslint/no-base-to-string': 'off',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 500, skipBlankLines: true }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { globals: globals.browser, parserOptions: { parser: ts.parser } },
  },
  { files: ['dashboard/**/*.ts'], languageOptions: { globals: globals.browser } },
  {
    // Tests describe many cases in one block; a suite's length is not a function's length.
    files: ['**/*.test.ts', '**/*.spec.ts', '**/*.conformance.ts', '**/testing/**', 'testkit/**'],
    rules: { 'max-lines-per-function': 'off', 'max-lines': 'off' },
  },
  {
    // What a policy means stands in one table: domain/policy-rules.ts, and IS_CACHED for the dashboard.
    files: ['server/src/**/*.ts', 'shared/src/**/*.ts', 'dashboard/**/*.{ts,svelte}'],
    ignores: ['**/*.{test,conformance}.ts', '**/testing/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: policyComparison,
          message:
            'Read what the policy does from domain/policy-rules.ts (docs/recipes.md, "A policy"): a comparison with its name is one that the compiler cannot find.',
        },
      ],
    },
  },
  {
    // Programs that print: the command line, set-up and benchmarks.
    files: [
      'scripts/**',
      'bench/**',
      'conformance/main.ts',
      'examples/**',
      'server/src/cli/**',
      'e2e/**/*.program.ts',
    ],
    rules: { 'no-console': 'off' },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...ts.configs.disableTypeChecked },
);
