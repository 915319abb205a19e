import { expect, it } from 'vitest';
import { foreignKeysOf } from './foreign-keys.ts';

const TEXT = `CREATE TABLE \`city\` (
  \`id\` bigint(20) NOT NULL,
  \`a\`\`)b\` int(11) DEFAULT NULL COMMENT 'CONSTRAINT \`x\` FOREIGN KEY (\`a\`) REFERENCES \`b\` (\`c\`) ON DELETE CASCADE',
  PRIMARY KEY (\`id\`),
  CONSTRAINT \`one\` FOREIGN KEY (\`a\`\`)b\`, \`id\`) REFERENCES \`other\`.\`coun'try\` (\`x\`, \`y\`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT \`two\` FOREIGN KEY (\`id\`) REFERENCES \`plain\` (\`id\`),
  CONSTRAINT \`three\` FOREIGN KEY (\`id\`) REFERENCES \`held\` (\`id\`) ON DELETE NO ACTION ON UPDATE SET NULL
) ENGINE=InnoDB`;

it('foreign keys that act are read from the table’s text, of any names and in no comment', () => {
  expect(foreignKeysOf(TEXT, 'shop')).toEqual([
    {
      ...{ name: 'one', onDelete: 'null', onUpdate: 'follow' },
      parent: { database: 'other', relation: "coun'try" },
      columns: [
        { child: 'a`)b', parent: 'x' },
        { child: 'id', parent: 'y' },
      ],
    },
    {
      ...{ name: 'three', onDelete: null, onUpdate: 'null' },
      parent: { database: 'shop', relation: 'held' },
      columns: [{ child: 'id', parent: 'id' }],
    },
  ]);
});
