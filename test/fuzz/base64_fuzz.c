/*-------------------------------------------------------------------------
 *
 * base64_fuzz.c
 *		Base64 in pieces of any length gives the same as in one piece, and
 *		what is whole is the one way to write its bytes.
 *
 * The first byte is the length of the pieces.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <openssl/evp.h>

#include "../../src/courier/base64.h"
#include "fuzz.h"

static void
check_is_canonical(const char *text, size_t len, const uint8_t *bytes,
				   size_t count)
{
	unsigned char *again = malloc(BASE64_ENCODED(count) + 1);

	insist(EVP_EncodeBlock(again, bytes, (int) count) == (int) len);
	insist(memcmp(again, text, len) == 0);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 1;
	size_t		len = size - 1;
	size_t		piece;
	Base64		decoder = {0};
	Base64		in_pieces = {0};
	uint8_t    *bytes;
	size_t		count;
	size_t		at = 0;

	if (size < 1)
		return 0;
	piece = data[0] % 16 + 1;
	bytes = malloc(BASE64_DECODED_MAX(len) + 1);
	count = base64_decode(&decoder, text, len, bytes);
	insist(count <= BASE64_DECODED_MAX(len));

	for (size_t begin = 0; begin < len; begin += piece)
	{
		size_t		part = len - begin < piece ? len - begin : piece;
		uint8_t    *out = malloc(BASE64_DECODED_MAX(part) + 1);
		size_t		n = base64_decode(&in_pieces, text + begin, part, out);

		insist(n <= BASE64_DECODED_MAX(part));
		if (!in_pieces.is_broken)
			insist(at + n <= count && memcmp(bytes + at, out, n) == 0);
		at += n;
		free(out);
	}
	insist(base64_is_whole(&decoder) == base64_is_whole(&in_pieces));
	if (base64_is_whole(&decoder))
	{
		insist(at == count);
		check_is_canonical(text, len, bytes, count);
	}
	free(bytes);
	return 0;
}
