/*-------------------------------------------------------------------------
 *
 * base64.c
 *		Base64 as in RFC 4648 section 4, read strictly and piece by piece.
 *
 * Pictures of many megabytes come this way, so whole fours are decoded by
 * table without a look at each character; everything that is not plain, the
 * borders between pieces and the padding, goes one by one.
 *
 *-------------------------------------------------------------------------
 */
#include "base64.h"

#define NO 255

static const uint8_t sextets[256] = {
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, 62, NO, NO, NO, 63,
	52, 53, 54, 55, 56, 57, 58, 59,
	60, 61, NO, NO, NO, NO, NO, NO,
	NO, 0, 1, 2, 3, 4, 5, 6,
	7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22,
	23, 24, 25, NO, NO, NO, NO, NO,
	NO, 26, 27, 28, 29, 30, 31, 32,
	33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48,
	49, 50, 51, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO,
};

/* Takes one character, and returns how many bytes it completed. */
static size_t
decode_one(Base64 *decoder, uint8_t c, uint8_t *out)
{
	size_t		written = 0;

	/* after the padding there is nothing, inside it only padding */
	if (decoder->padding > 0 && (decoder->count == 0 || c != '='))
		decoder->is_broken = true;
	else if (c == '=')
	{
		decoder->padding++;
		decoder->is_broken = decoder->count < 2;
	}
	else if (sextets[c] == NO)
		decoder->is_broken = true;
	else
		decoder->bits = decoder->bits << 6 | sextets[c];
	if (decoder->is_broken || ++decoder->count < 4)
		return 0;

	switch (decoder->padding)
	{
		case 0:
			out[written++] = (uint8_t) (decoder->bits >> 16);
			out[written++] = (uint8_t) (decoder->bits >> 8);
			out[written++] = (uint8_t) decoder->bits;
			break;
		case 1:
			decoder->is_broken = (decoder->bits & 0x03) != 0;
			out[written++] = (uint8_t) (decoder->bits >> 10);
			out[written++] = (uint8_t) (decoder->bits >> 2);
			break;
		default:
			decoder->is_broken = (decoder->bits & 0x0f) != 0;
			out[written++] = (uint8_t) (decoder->bits >> 4);
			break;
	}
	decoder->bits = 0;
	decoder->count = 0;
	return decoder->is_broken ? 0 : written;
}

/* Whole fours up to the first character that is no plain one. */
static size_t
decode_fours(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t		at;

	for (at = 0; at + 4 <= len; at += 4)
	{
		uint32_t	a = sextets[in[at]];
		uint32_t	b = sextets[in[at + 1]];
		uint32_t	c = sextets[in[at + 2]];
		uint32_t	d = sextets[in[at + 3]];

		if (((a | b | c | d) & 0xc0) != 0)
			break;
		*out++ = (uint8_t) (a << 2 | b >> 4);
		*out++ = (uint8_t) (b << 4 | c >> 2);
		*out++ = (uint8_t) (c << 6 | d);
	}
	return at;
}

size_t
base64_decode(Base64 *decoder, const char *in, size_t len, uint8_t *out)
{
	const uint8_t *from = (const uint8_t *) in;
	const uint8_t *end = from + len;
	size_t		written = 0;

	while (from < end && !decoder->is_broken)
	{
		if (decoder->count == 0 && decoder->padding == 0)
		{
			size_t		plain = decode_fours(from, end - from, out + written);

			from += plain;
			written += plain / 4 * 3;
			if (from == end)
				break;
		}
		written += decode_one(decoder, *from++, out + written);
	}
	return written;
}

bool
base64_is_whole(const Base64 *decoder)
{
	return !decoder->is_broken && decoder->count == 0;
}
