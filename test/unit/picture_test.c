/*-------------------------------------------------------------------------
 *
 * picture_test.c
 *		Pictures are known by their headers; headers that are cut short or lie
 *		are seen through.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/protocol/picture.h"
#include "check.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* All of them are 640 by 480, and as long as a header must be. */
static const uint8_t png[] = {
	0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,
	'I', 'H', 'D', 'R', 0, 0, 2, 128, 0, 0, 1, 224, 8, 2, 0, 0, 0,
	0, 0, 0, 0
};
static const uint8_t jpeg[] = {
	0xff, 0xd8, 0xff, 0xe0, 0, 6, 'J', 'F', 'I', 'F',
	0xff, 0xff, 0xff, 0xdb, 0, 4, 0, 1, 0xff, 0x01,
	0xff, 0xc2, 0, 17, 8, 1, 224, 2, 128, 3
};
static const uint8_t webp_lossy[] = {
	'R', 'I', 'F', 'F', 22, 0, 0, 0, 'W', 'E', 'B', 'P',
	'V', 'P', '8', ' ', 10, 0, 0, 0, 0, 0, 0, 0x9d, 0x01, 0x2a,
	0x80, 0x02, 0xe0, 0x41
};
static const uint8_t webp_lossless[] = {
	'R', 'I', 'F', 'F', 22, 0, 0, 0, 'W', 'E', 'B', 'P',
	'V', 'P', '8', 'L', 10, 0, 0, 0, 0x2f, 0x7f, 0xc2, 0x77, 0x10,
	0, 0, 0, 0, 0
};
static const uint8_t webp_extended[] = {
	'R', 'I', 'F', 'F', 22, 0, 0, 0, 'W', 'E', 'B', 'P',
	'V', 'P', '8', 'X', 10, 0, 0, 0, 0x10, 0, 0, 0,
	0x7f, 0x02, 0, 0xdf, 0x01, 0
};
static const uint8_t gif[] = {
	'G', 'I', 'F', '8', '9', 'a', 0x80, 0x02, 0xe0, 0x01, 0xf0, 0, 0, 0x3b
};

typedef struct Sample
{
	const char *name;
	const char *format;
	const uint8_t *bytes;
	size_t		len;
} Sample;

static const Sample samples[] = {
	{"png", "png", png, sizeof(png)},
	{"jpeg", "jpeg", jpeg, sizeof(jpeg)},
	{"lossy webp", "webp", webp_lossy, sizeof(webp_lossy)},
	{"lossless webp", "webp", webp_lossless, sizeof(webp_lossless)},
	{"extended webp", "webp", webp_extended, sizeof(webp_extended)},
	{"gif", "gif", gif, sizeof(gif)},
};

/* From memory of exactly this length, so that a look past it is seen. */
static PictureVerdict
sniff(const uint8_t *bytes, size_t len, PictureFacts *facts)
{
	uint8_t    *copy = malloc(len > 0 ? len : 1);
	PictureVerdict verdict;

	memcpy(copy, bytes, len);
	verdict = picture_sniff(copy, len, facts);
	free(copy);
	return verdict;
}

/* The sample with some bytes changed at a place. */
static PictureVerdict
sniff_changed(int sample, size_t at, const char *bytes, size_t count)
{
	uint8_t		copy[64];
	PictureFacts facts;

	memcpy(copy, samples[sample].bytes, samples[sample].len);
	memcpy(copy + at, bytes, count);
	return sniff(copy, samples[sample].len, &facts);
}

static void
check_samples(void)
{
	for (size_t i = 0; i < lengthof(samples); i++)
	{
		PictureFacts facts;
		size_t		least = samples[i].len;
		int			wrong = 0;

		CHECK(sniff(samples[i].bytes, samples[i].len, &facts) == PICTURE_OK &&
			  strcmp(facts.format, samples[i].format) == 0 &&
			  facts.width == 640 && facts.height == 480,
			  "%s is known, with its size", samples[i].name);
		for (size_t len = 0; len < samples[i].len; len++)
		{
			if (sniff(samples[i].bytes, len, &facts) == PICTURE_OK)
				least = len < least ? len : least;
			else if (facts.width != 0 || facts.height != 0)
				wrong++;
		}
		CHECK(least >= samples[i].len - 2 && wrong == 0,
			  "%s that is cut short is broken", samples[i].name);
	}
}

static void
check_lies(void)
{
	static const uint8_t svg[] = "<svg xmlns='http://www.w3.org/2000/svg'/>";
	PictureFacts facts;

	CHECK(sniff(svg, sizeof(svg), &facts) == PICTURE_UNKNOWN &&
		  facts.format == NULL, "svg is not taken");
	CHECK(sniff(svg, 0, &facts) == PICTURE_UNKNOWN, "nothing is no picture");

	CHECK(sniff_changed(0, 16, "\0\0\0\0", 4) == PICTURE_BROKEN,
		  "no width is no picture");
	CHECK(sniff_changed(0, 16, "\0\0\x40\0", 4) == PICTURE_OK,
		  "16384 is wide enough");
	CHECK(sniff_changed(0, 16, "\0\0\x40\1", 4) == PICTURE_TOO_LARGE,
		  "16385 is too wide");
	CHECK(sniff_changed(0, 20, "\xff\xff\xff\xff", 4) == PICTURE_TOO_LARGE,
		  "4294967295 is too high");
	CHECK(sniff_changed(0, 16, "\0\0\x20\0\0\0\x20\0", 8) == PICTURE_OK,
		  "64 Mpx are enough");
	CHECK(sniff_changed(0, 16, "\0\0\x20\0\0\0\x20\1", 8) == PICTURE_TOO_LARGE,
		  "a row more is too much");
	CHECK(sniff_changed(0, 11, "\14", 1) == PICTURE_BROKEN,
		  "a short IHDR is none");
	CHECK(sniff_changed(0, 12, "IDAT", 4) == PICTURE_BROKEN,
		  "a png begins with IHDR");

	CHECK(sniff_changed(1, 4, "\0\0", 2) == PICTURE_BROKEN,
		  "a segment of no length ends a jpeg");
	CHECK(sniff_changed(1, 4, "\xff\xff", 2) == PICTURE_BROKEN,
		  "a segment past the end ends a jpeg");
	CHECK(sniff_changed(1, 3, "\xda", 1) == PICTURE_BROKEN,
		  "a scan before the frame is no jpeg");
	CHECK(sniff_changed(1, 25, "\0\0", 2) == PICTURE_BROKEN,
		  "a height to be told later is not known");
	CHECK(sniff_changed(1, 21, "\xc4", 1) == PICTURE_BROKEN,
		  "a table is no frame");
	CHECK(sniff_changed(1, 22, "\0\7", 2) == PICTURE_BROKEN,
		  "a short frame header is none");

	CHECK(sniff_changed(2, 20, "\1", 1) == PICTURE_BROKEN,
		  "a webp begins with a key frame");
	CHECK(sniff_changed(2, 23, "\0", 1) == PICTURE_BROKEN,
		  "a key frame has its start code");
	CHECK(sniff_changed(3, 20, "\0", 1) == PICTURE_BROKEN,
		  "a lossless webp has its signature");
	CHECK(sniff_changed(4, 24, "\xff\xff\xff", 3) == PICTURE_TOO_LARGE,
		  "a canvas of 16777216 is too wide");
	CHECK(sniff_changed(4, 12, "ALPH", 4) == PICTURE_BROKEN,
		  "no other chunk comes first");

	CHECK(sniff_changed(5, 6, "\0\0", 2) == PICTURE_BROKEN,
		  "a gif has a width");
	CHECK(sniff_changed(5, 6, "\xff\xff", 2) == PICTURE_TOO_LARGE,
		  "a gif of 65535 is too wide");
	CHECK(sniff_changed(5, 4, "8", 1) == PICTURE_UNKNOWN,
		  "there is no GIF88a");
}

/* A jpeg that never comes to its frame must not be walked for ever. */
static void
check_long_jpegs(void)
{
	size_t		len = 4 * 1024 * 1024;
	uint8_t    *bytes = malloc(len);
	PictureFacts facts;

	memset(bytes, 0xff, len);
	bytes[1] = 0xd8;
	CHECK(sniff(bytes, len, &facts) == PICTURE_BROKEN,
		  "a jpeg of fill bytes ends");
	for (size_t i = 2; i + 4 <= len; i += 4)
		memcpy(bytes + i, "\xff\xfe\0\2", 4);
	CHECK(sniff(bytes, len, &facts) == PICTURE_BROKEN,
		  "a jpeg of empty comments ends");
	free(bytes);
}

static void
check_mutations(void)
{
	int			wrong = 0;

	srand(1);
	for (int round = 0; round < 200000; round++)
	{
		int			sample = rand() % (int) lengthof(samples);
		uint8_t		copy[64];
		PictureFacts facts;
		PictureVerdict verdict;

		memcpy(copy, samples[sample].bytes, samples[sample].len);
		for (int i = rand() % 4; i >= 0; i--)
			copy[(size_t) rand() % samples[sample].len] = (uint8_t) rand();
		verdict = sniff(copy, (size_t) rand() % (samples[sample].len + 1),
						&facts);
		if (verdict == PICTURE_OK ?
			facts.width < 1 || facts.height < 1 || facts.width > 16384 ||
			facts.height > 16384 || facts.format == NULL :
			facts.width != 0 || facts.height != 0)
			wrong++;
	}
	CHECK(wrong == 0, "200000 mutations: %d with a size out of bounds", wrong);
}

int
main(void)
{
	check_samples();
	check_lies();
	check_long_jpegs();
	check_mutations();
	return check_done();
}
