/*-------------------------------------------------------------------------
 *
 * body_fuzz.c
 *		Any body, in pieces of any length, gives the same as in one piece; and
 *		of every body that a JSON parser takes, the scanner has cut exactly
 *		the strings that the parser finds at the path.
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/courier/base64.h"
#include "../../src/courier/body.h"
#include "fuzz.h"

typedef struct Received
{
	bool		fits;
	char	   *text;
	size_t		len;
	Picture		pictures[MAX_PICTURES];
	int			count;
} Received;

static void
receive(const char *bytes, size_t len, size_t piece, Received *received)
{
	Body	   *body = body_create("data[].b64_json", 1 << 20, 1 << 12);
	const char *text;

	memset(received, 0, sizeof(*received));
	received->fits = true;
	for (size_t at = 0; received->fits && at < len; at += piece)
		received->fits = body_add(body, bytes + at,
								  len - at < piece ? len - at : piece);
	text = body_text(body, &received->len);
	received->text = malloc(received->len + 1);
	memcpy(received->text, text, received->len + 1);
	received->count = body_take_pictures(body, received->pictures);
	body_destroy(body);
}

static void
release(Received *received)
{
	for (int i = 0; i < received->count; i++)
		free(received->pictures[i].bytes);
	free(received->text);
}

static void
compare(const Received *a, const Received *b)
{
	insist(a->fits == b->fits);
	if (!a->fits)
		return;
	insist(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
	insist(a->count == b->count);
	for (int i = 0; i < a->count; i++)
	{
		insist(a->pictures[i].is_broken == b->pictures[i].is_broken);
		insist(a->pictures[i].len == b->pictures[i].len);
		insist(a->pictures[i].len == 0 ||
			   memcmp(a->pictures[i].bytes, b->pictures[i].bytes,
					  a->pictures[i].len) == 0);
	}
}

/* The picture is what the string says. */
static void
compare_picture(const json_t *string, const Picture *picture)
{
	const char *text = json_string_value(string);
	size_t		len = json_string_length(string);
	uint8_t    *out;
	Base64		decoder = {0};
	size_t		written;

	if (strncmp(text, "data:", 5) == 0)
		return;
	out = malloc(BASE64_DECODED_MAX(len) + 1);
	written = base64_decode(&decoder, text, len, out);
	insist(picture->is_broken == !base64_is_whole(&decoder));
	if (!picture->is_broken)
		insist(picture->len == written &&
			   (written == 0 || memcmp(picture->bytes, out, written) == 0));
	free(out);
}

static void
compare_with_parser(const char *bytes, size_t len, const Received *received)
{
	json_t	   *whole = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
	json_t	   *rest = json_loadb(received->text, received->len,
								  JSON_ALLOW_NUL, NULL);
	size_t		i;
	json_t	   *item;

	if (whole == NULL || !body_depth_is_fine(bytes, len))
	{
		json_decref(whole);
		json_decref(rest);
		return;
	}
	insist(rest != NULL);
	json_array_foreach(json_object_get(whole, "data"), i, item)
	{
		const json_t *value = json_object_get(item, "b64_json");
		json_t	   *left = json_array_get(json_object_get(rest, "data"), i);
		const char *index = json_string_value(json_object_get(left,
															  "b64_json"));

		if (!json_is_string(value))
			continue;
		insist(index != NULL && strspn(index, "0123456789") == strlen(index));
		if (atoi(index) < received->count)
			compare_picture(value, &received->pictures[atoi(index)]);
	}
	json_decref(whole);
	json_decref(rest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data + 1;
	Received	at_once;
	Received	in_pieces;

	if (size < 1)
		return 0;
	receive(bytes, size - 1, size, &at_once);
	receive(bytes, size - 1, data[0] % 16 + 1, &in_pieces);
	compare(&at_once, &in_pieces);
	if (at_once.fits)
		compare_with_parser(bytes, size - 1, &at_once);
	release(&at_once);
	release(&in_pieces);
	return 0;
}
