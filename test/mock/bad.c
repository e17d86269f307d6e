/*-------------------------------------------------------------------------
 *
 * bad.c
 *		Endless, oversized, truncated, explosive and otherwise bad answers.
 *
 * What is long is never kept whole: a block goes round, and the bomb is one
 * compressed mebibyte, flushed so that it can be repeated.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <zlib.h>

#define BLOCK			65536
#define HEAD_LINES		64
#define MIB				(1024 * 1024)
#define JSON			"content-type: application/json\r\n"

static char letters[BLOCK + 1];
static char chunk[BLOCK + 16];
static size_t chunk_length;
static char head_lines[HEAD_LINES * 64];
static const char not_a_picture[] = "This is text, and no picture at all.\n";

/* 1x1, transparent. */
static const unsigned char gif[] = {
	'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255,
	255, 0x21, 0xf9, 4, 1, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2,
	0x44, 1, 0, 0x3b
};

/* A good IHDR with its CRC, of 65535x65535, 8 bits RGBA; the data of none. */
static const unsigned char huge_png[] = {
	0x89, 'P', 'N', 'G', 13, 10, 26, 10,
	0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 255, 255, 0, 0, 255, 255, 8, 6, 0,
	0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82
};

#define HUGE_PNG_CRC	29		/* where the CRC of the IHDR stands */

static const unsigned char huge_jpeg[] = {
	0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1,
	0, 0,
	0xff, 0xc0, 0, 17, 8, 255, 255, 255, 255, 3, 1, 0x11, 0, 2, 0x11, 0, 3,
	0x11, 0,
	0xff, 0xd9
};

static void
make_blocks(void)
{
	char	   *end = head_lines;

	if (letters[0] != '\0')
		return;
	memset(letters, 'A', BLOCK);
	chunk_length = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", BLOCK,
							letters);
	for (int i = 0; i < HEAD_LINES; i++)
		end += sprintf(end, "x-filler-%02d: %.40s\r\n", i, letters);
}

/* ---- pictures ---- */

static Blob *
encode(const void *bytes, size_t length)
{
	Blob	   *blob = malloc(sizeof(Blob) + (length + 2) / 3 * 4 + 1);

	if (blob == NULL)
		abort();
	blob->references = 1;
	blob->length = EVP_EncodeBlock((unsigned char *) blob->data, bytes,
								   length);
	return blob;
}

static Blob *
encode_huge_png(void)
{
	unsigned char png[sizeof(huge_png)];
	unsigned long crc;

	memcpy(png, huge_png, sizeof(png));
	crc = crc32(0, png + 12, 17);
	for (int i = 0; i < 4; i++)
		png[HUGE_PNG_CRC + i] = crc >> (24 - 8 * i);
	return encode(png, sizeof(png));
}

Blob *
bad_picture(BadKind kind)
{
	Blob	   *blob;

	switch (kind)
	{
		case BAD_NOT_A_PICTURE:
			return encode(not_a_picture, sizeof(not_a_picture) - 1);
		case BAD_HUGE_PNG:
			return encode_huge_png();
		case BAD_HUGE_JPEG:
			return encode(huge_jpeg, sizeof(huge_jpeg));
		case BAD_GIF:
			return encode(gif, sizeof(gif));
		default:
			blob = encode(huge_jpeg, sizeof(huge_jpeg));
			memcpy(blob->data + 8, "*?*%", 4);
			return blob;
	}
}

/* ---- answers ---- */

static void
add_gzip_head(Bytes *bytes)
{
	static const unsigned char head[10] = {31, 139, 8, 0, 0, 0, 0, 0, 0, 3};

	bytes_add(bytes, head, sizeof(head));
}

/* Deflate input into bytes, up to a byte's end. */
static void
add_deflated(Bytes *bytes, z_stream * z, const void *input, size_t length,
			 int flush)
{
	unsigned char out[8192];

	z->next_in = (unsigned char *) input;
	z->avail_in = length;
	do
	{
		z->next_out = out;
		z->avail_out = sizeof(out);
		deflate(z, flush);
		bytes_add(bytes, out, sizeof(out) - z->avail_out);
	} while (z->avail_out == 0);
}

static void
add_little_endian(Bytes *bytes, unsigned long number)
{
	unsigned char four[4];

	for (int i = 0; i < 4; i++)
		four[i] = number >> (8 * i);
	bytes_add(bytes, four, 4);
}

/*
 * The opening and BOMB_MIB mebibytes of letters.  After a full flush nothing
 * refers to what was before, so that one mebibyte serves for all.
 */
static void
make_bomb(Bytes *bomb, const char *opening)
{
	z_stream	z = {0};
	Bytes		unit = {0};
	char	   *mebibyte = malloc(MIB);
	unsigned long crc = crc32(0, (const Bytef *) opening, strlen(opening));
	unsigned long unit_crc;

	memset(mebibyte, 'A', MIB);
	unit_crc = crc32(0, (const Bytef *) mebibyte, MIB);
	deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	add_gzip_head(bomb);
	add_deflated(bomb, &z, opening, strlen(opening), Z_FULL_FLUSH);
	add_deflated(&unit, &z, mebibyte, MIB, Z_FULL_FLUSH);
	for (int i = 0; i < BOMB_MIB; i++)
	{
		bytes_add(bomb, unit.data, unit.length);
		crc = crc32_combine(crc, unit_crc, MIB);
	}
	add_deflated(bomb, &z, "", 0, Z_FINISH);
	add_little_endian(bomb, crc);
	add_little_endian(bomb, strlen(opening) + (unsigned long) BOMB_MIB * MIB);
	deflateEnd(&z);
	free(unit.data);
	free(mebibyte);
}

static void
answer_bomb(Connection *c, const Plan *plan, const char *opening)
{
	Bytes		bomb = {0};

	make_bomb(&bomb, opening);
	answer_bytes(c, (const char *) bomb.data, bomb.length);
	free(bomb.data);
	connection_answer(c, 200, JSON "content-encoding: gzip\r\n",
					  plan->delay_ms);
}

static void
answer_deep(Connection *c, const Plan *plan)
{
	char	   *brackets = malloc(DEEP);

	memset(brackets, '[', DEEP);
	answer_text(c, "{\"data\":");
	answer_bytes(c, brackets, DEEP);
	memset(brackets, ']', DEEP);
	answer_bytes(c, brackets, DEEP);
	answer_text(c, "}");
	free(brackets);
	connection_answer(c, 200, JSON, plan->delay_ms);
}

static void
answer_endless(Connection *c, const char *headers, const char *opening,
			   long delay_ms)
{
	char		head[512];

	snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n",
			 headers);
	if (opening[0] != '\0')
	{
		answer_chunk_begin(c);
		answer_text(c, "%s", opening);
		answer_chunk_end(c);
	}
	answer_fill(c, chunk, chunk_length, FOR_EVER);
	connection_send(c, head, delay_ms);
}

/* Half of the letters that the head promises, then the end. */
static void
answer_truncated(Connection *c, const Plan *plan, const char *opening)
{
	answer_text(c, "%s", opening);
	answer_fill(c, letters, BLOCK, BLOCK);
	c->close_after = true;
	connection_send(c, "HTTP/1.1 200 OK\r\n" JSON
					"content-length: 262144\r\n\r\n", plan->delay_ms);
}

void
bad_answer(Connection *c, const Plan *plan, const char *opening,
		   const char *closing)
{
	make_blocks();
	switch (plan->bad)
	{
		case BAD_ENDLESS:
			answer_endless(c, JSON, opening, plan->delay_ms);
			break;
		case BAD_HEAD:
			answer_fill(c, head_lines, strlen(head_lines), FOR_EVER);
			connection_send(c, "HTTP/1.1 200 OK\r\n", plan->delay_ms);
			break;
		case BAD_TRUNCATED:
			answer_truncated(c, plan, opening);
			break;
		case BAD_OVERSIZED:
			answer_text(c, "%s", opening);
			answer_fill(c, letters, BLOCK, OVERSIZED - strlen(opening));
			connection_answer(c, 200, JSON, plan->delay_ms);
			break;
		case BAD_GZIP_BOMB:
			answer_bomb(c, plan, opening);
			break;
		case BAD_JSON:
			answer_text(c, "%sAAAA\",,}]", opening);
			connection_answer(c, 200, JSON, plan->delay_ms);
			break;
		case BAD_DEEP:
			answer_deep(c, plan);
			break;
		case BAD_EMPTY_200:
			connection_answer(c, 200, JSON, plan->delay_ms);
			break;
		case BAD_GARBAGE:
			answer_text(c, "\001\002 this is no HTTP at all\r\n\r\n%s", opening);
			c->close_after = true;
			connection_send(c, "", plan->delay_ms);
			break;
		default:
			answer_text(c, "%s", opening);
			answer_blob(c, bad_picture(BAD_GIF));
			answer_text(c, "%s", closing);
			connection_answer(c, 999, JSON, plan->delay_ms);
			break;
	}
}

void
bad_download(Connection *c, AddressKind kind, const char *headers,
			 Blob *picture)
{
	char		head[512];

	make_blocks();
	if (kind == ADDRESS_ENDLESS)
	{
		blob_release(picture);
		answer_endless(c, headers, "", 0);
		return;
	}
	if (kind == ADDRESS_OVERSIZED)
	{
		size_t		length = picture->length;

		answer_blob(c, picture);
		answer_fill(c, letters, BLOCK, OVERSIZED - length);
		connection_answer(c, 200, headers, 0);
		return;
	}
	snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\n%scontent-length: %zu\r\n\r\n", headers,
			 picture->length + 1);
	answer_blob(c, picture);
	c->close_after = true;
	connection_send(c, head, 0);
}
