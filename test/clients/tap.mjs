// tap.mjs
//	Facts, reported in TAP one after the other.

import assert from 'node:assert/strict';

let count = 0;
let failures = 0;

// Whether it holds; the detail is only shown if not.
export function ok(holds, fact, detail = '') {
	count++;
	console.log(`${holds ? 'ok' : 'not ok'} ${count} - ${fact}`);
	if (!holds) {
		failures++;
		if (detail !== '') {
			console.log(String(detail).replace(/^/gm, '#   '));
		}
	}
	return holds;
}

// A fact that takes several steps: it holds if none of them throws.
export async function test(fact, steps) {
	try {
		await steps(assert);
		ok(true, fact);
	} catch (error) {
		ok(false, fact, error.stack);
	}
}

// The plan, and the exit code; ends what is still open.
export function done() {
	console.log(`1..${count}`);
	process.exit(failures > 0 ? 1 : 0);
}
