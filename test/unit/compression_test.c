/*-------------------------------------------------------------------------
 *
 * compression_test.c
 *		What is packed comes back as it was; what was damaged, cut short or
 *		made to be too much does not.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/courier/compression.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "check.h"

#define MIB		((size_t) 1024 * 1024)

static uint8_t plain[2 * 1024 * 1024];

static Picture
picture_of(const void *bytes, size_t len)
{
	return (Picture)
	{
		(uint8_t *) bytes, len, false
	};
}

/* The same each time, and nothing that can be packed. */
static void
fill_with_noise(size_t len)
{
	uint64_t	state = 1;

	for (size_t i = 0; i < len; i++)
	{
		state = state * UINT64_C(6364136223846793005) + 1;
		plain[i] = (uint8_t) (state >> 56);
	}
}

static bool
comes_back(size_t len)
{
	Picture		content = picture_of(plain, len);
	Picture		packed;
	Picture		again = {0};
	bool		ok = compression_pack(&content, &packed) &&
	compression_unpack(&packed, len, &again) == NULL &&
	again.len == len && memcmp(again.bytes, plain, len) == 0;

	free(packed.bytes);
	free(again.bytes);
	return ok;
}

static void
check_round_trips(void)
{
	static const size_t sizes[] = {
		1, 2, 1000, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 128 * 1024,
		1024 * 1024, sizeof(plain)
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		memset(plain, 'a', sizes[i]);
		CHECK(comes_back(sizes[i]), "%zu equal bytes come back", sizes[i]);
		fill_with_noise(sizes[i]);
		CHECK(comes_back(sizes[i]), "%zu bytes of noise come back", sizes[i]);
	}
	CHECK(comes_back(0), "nothing comes back as nothing");
}

/* Whether it is refused, and nothing is left of it. */
static bool
refuses(const Picture *packed, size_t max, const char *words)
{
	Picture		content = {0};
	const char *problem = compression_unpack(packed, max, &content);

	if (problem != NULL && content.bytes == NULL && content.len == 0 &&
		strstr(problem, words) != NULL)
		return true;
	printf("# %s\n", problem != NULL ? problem : "unpacked");
	free(content.bytes);
	return false;
}

static void
check_limit(void)
{
	Picture		content = picture_of(plain, MIB);
	Picture		packed;
	Picture		again;

	memset(plain, 0, MIB);
	compression_pack(&content, &packed);
	CHECK(packed.len < 1024, "a bomb is small");
	CHECK(compression_unpack(&packed, MIB, &again) == NULL &&
		  again.len == MIB, "as much as may be is unpacked");
	free(again.bytes);
	CHECK(refuses(&packed, MIB - 1, "more comes out of it"),
		  "a byte more is refused");
	CHECK(refuses(&packed, 0, "more comes out of it"),
		  "any byte is, where there may be none");
	free(packed.bytes);
}

/* One that says nothing of its size, as a stranger may make it. */
static Picture
pack_untold(const Picture *content, int window_log)
{
	ZSTD_CCtx  *context = ZSTD_createCCtx();
	Picture		packed = {0};
	size_t		size = ZSTD_compressBound(content->len) + 1024;
	ZSTD_inBuffer in = {content->bytes, content->len, 0};
	ZSTD_outBuffer out = {malloc(size), size, 0};

	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
	ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
	packed.bytes = out.dst;
	packed.len = out.pos;
	ZSTD_freeCCtx(context);
	return packed;
}

static void
check_strangers(void)
{
	Picture		content = picture_of(plain, MIB);
	Picture		packed = pack_untold(&content, 20);
	Picture		again;

	CHECK(compression_unpack(&packed, MIB, &again) == NULL &&
		  again.len == MIB && memcmp(again.bytes, plain, MIB) == 0,
		  "a frame without its size is unpacked");
	free(again.bytes);
	CHECK(refuses(&packed, MIB - 1, "more comes out of it"),
		  "within the same limit");
	free(packed.bytes);

	packed = pack_untold(&content, 27);
	CHECK(refuses(&packed, MIB, "memory"),
		  "one that wants more memory than its content is refused");
	free(packed.bytes);
}

static void
check_damage(void)
{
	Picture		content = picture_of(plain, 3000);
	Picture		packed;
	Picture		twice;
	int			unnoticed = 0;

	fill_with_noise(1000);
	memcpy(plain + 1000, plain, 1000);
	memset(plain + 2000, 'x', 1000);
	compression_pack(&content, &packed);
	for (size_t i = 0; i < packed.len * 8; i++)
	{
		Picture		again = {0};

		packed.bytes[i / 8] ^= (uint8_t) (1 << i % 8);
		if (compression_unpack(&packed, MIB, &again) == NULL &&
			(again.len != content.len ||
			 memcmp(again.bytes, plain, content.len) != 0))
			unnoticed++;
		free(again.bytes);
		packed.bytes[i / 8] ^= (uint8_t) (1 << i % 8);
	}
	CHECK(unnoticed == 0, "no bit of it can turn to give something else");

	for (size_t len = 0; len < packed.len; len++)
	{
		/* of its own, so that a sanitizer sees who reads on */
		Picture		cut = {malloc(len + 1), len, false};
		Picture		again = {0};

		memcpy(cut.bytes, packed.bytes, len);
		unnoticed += compression_unpack(&cut, MIB, &again) == NULL;
		free(again.bytes);
		free(cut.bytes);
	}
	CHECK(unnoticed == 0, "nor can it be cut short anywhere");

	twice = (Picture)
	{
		malloc(packed.len * 2), packed.len * 2, false
	};
	memcpy(twice.bytes, packed.bytes, packed.len);
	memcpy(twice.bytes + packed.len, packed.bytes, packed.len);
	CHECK(refuses(&twice, MIB, "follows its end"), "nothing follows its end");
	twice.len = packed.len + 1;
	CHECK(refuses(&twice, MIB, "follows its end"), "not a byte");
	free(twice.bytes);
	free(packed.bytes);

	content = picture_of("{\"kind\":\"picture\"}", 18);
	CHECK(refuses(&content, MIB, "frame"), "what is no frame is none");
}

int
main(void)
{
	check_round_trips();
	check_limit();
	check_strangers();
	check_damage();
	return check_done();
}
