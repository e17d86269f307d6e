// browser.mjs
//	A page of our own in Debian's Chromium.

import http from 'node:http';
import path from 'node:path';

import { chromium } from 'playwright-core';

// Nothing of a page is asked for but what is served here.
const options = {
	executablePath: '/usr/bin/chromium',
	headless: true,
	args: [
		'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
		'--no-first-run', '--disable-background-networking',
		'--disable-component-update', '--disable-sync',
	],
};

function serve(html, asked) {
	const server = http.createServer((request, response) => {
		asked.push(request.url);
		response.writeHead(request.url === '/' ? 200 : 404,
			{ 'content-type': 'text/html' });
		response.end(request.url === '/' ? html : '');
	});

	return new Promise((resolve) => {
		server.listen(0, '127.0.0.1',
			() => resolve(`http://127.0.0.1:${server.address().port}/`));
	});
}

// {page, asked, close}: a page with this script, and what was asked of the
// server that it came from.
export async function openPage(script) {
	const asked = [];
	const origin = await serve(
		`<!doctype html><link rel=icon href="data:,"><script>${script}</script>`,
		asked);
	const context = await chromium.launchPersistentContext(
		path.join(process.env.SCRATCH, 'browser'), options);
	const page = await context.newPage();

	page.on('pageerror', (error) => console.log(`# ${error}`));
	await page.goto(origin);
	return { page, asked, close: () => context.close() };
}
