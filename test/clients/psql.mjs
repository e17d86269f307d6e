// psql.mjs
//	Statements for a server, as psql runs them.

import { spawn } from 'node:child_process';
import readline from 'node:readline';

const options = ['-XAtq', '-v', 'ON_ERROR_STOP=1'];

// What it gives, as text; an error is thrown with all that the server says.
export function sql(statement, user = 'postgres') {
	const psql = spawn('psql',
		[...options, '-v', 'VERBOSITY=verbose', '-U', user]);

	psql.stdin.end(statement);
	return new Promise((resolve, reject) => {
		const said = { stdout: '', stderr: '' };

		for (const stream of ['stdout', 'stderr']) {
			psql[stream].setEncoding('utf8');
			psql[stream].on('data', (text) => {
				said[stream] += text;
			});
		}
		psql.on('error', reject);
		psql.on('close', (status) => status === 0
			? resolve(said.stdout.trimEnd()) : reject(new Error(said.stderr)));
	});
}

// Repeats a query until it gives t.
export async function until(query) {
	const end = performance.now() + 180000;

	while (await sql(query) !== 't') {
		if (performance.now() > end) {
			throw new Error(`waited in vain: ${query}`);
		}
	}
}

// A session that stays open: {run, end}.
export function session(user) {
	const psql = spawn('psql', [...options, '-U', user],
		{ stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = readline.createInterface({ input: psql.stdout })
		[Symbol.asyncIterator]();

	return {
		async run(statement) {
			let said = '';

			psql.stdin.write(`${statement};\n\\echo end of it\n`);
			for (;;) {
				const { value, done } = await lines.next();

				if (done) {
					throw new Error(`the session ended: ${statement}`);
				}
				if (value === 'end of it') {
					return said.trimEnd();
				}
				said += `${value}\n`;
			}
		},
		end: () => psql.stdin.end(),
	};
}

// As a constant of SQL.
export const quote = (text) => `'${text.replaceAll('\'', '\'\'')}'`;
