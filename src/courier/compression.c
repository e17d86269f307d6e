/*-------------------------------------------------------------------------
 *
 * compression.c
 *		Zstandard (RFC 8878), in memory and within limits.
 *
 * All work is the library's.  What is unpacked may be anybody's: it goes into
 * a buffer that grows as bytes come, and ends at a limit.
 *
 *-------------------------------------------------------------------------
 */
#include "compression.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

/* The library's usual one: calls must not wait for a better. */
#define LEVEL	ZSTD_CLEVEL_DEFAULT

/* Of the library's own memory (16 MiB); what is packed here needs less. */
#define MAX_WINDOW_LOG	24

#define FIRST_SIZE	((size_t) 64 * 1024)

bool
compression_pack(const Picture *content, Picture *packed)
{
	ZSTD_CCtx  *context = ZSTD_createCCtx();
	size_t		size = ZSTD_compressBound(content->len);
	size_t		len;
	bool		ok;

	memset(packed, 0, sizeof(*packed));
	packed->bytes = malloc(size);
	ok = context != NULL && packed->bytes != NULL &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel,
											 LEVEL)) &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1));
	if (ok)
	{
		len = ZSTD_compress2(context, packed->bytes, size, content->bytes,
							 content->len);
		ok = !ZSTD_isError(len);
		packed->len = ok ? len : 0;
	}
	ZSTD_freeCCtx(context);
	if (!ok)
	{
		free(packed->bytes);
		memset(packed, 0, sizeof(*packed));
	}
	return ok;
}

/* Room for at least one more byte, and for one that is too many. */
static bool
grow(Picture *content, size_t *size, size_t max)
{
	size_t		larger = *size == 0 ? FIRST_SIZE : *size * 2;
	uint8_t    *bytes;

	if (larger > max + 1)
		larger = max + 1;
	bytes = realloc(content->bytes, larger);
	if (bytes == NULL)
		return false;
	content->bytes = bytes;
	*size = larger;
	return true;
}

static const char *
unpack(ZSTD_DCtx * context, const Picture *packed, size_t max,
	   Picture *content)
{
	ZSTD_inBuffer in = {packed->bytes, packed->len, 0};
	size_t		size = 0;

	for (;;)
	{
		ZSTD_outBuffer out;
		size_t		left;

		if (content->len == size && !grow(content, &size, max))
			return "memory is out";
		out = (ZSTD_outBuffer)
		{
			content->bytes, size, content->len
		};
		left = ZSTD_decompressStream(context, &out, &in);
		if (ZSTD_isError(left))
			return ZSTD_getErrorName(left);
		content->len = out.pos;
		if (content->len > max)
			return "more comes out of it than may be";
		if (left == 0)
			return in.pos == in.size ? NULL : "something follows its end";
		if (in.pos == in.size && out.pos < out.size)
			return "its end is missing";
	}
}

const char *
compression_unpack(const Picture *packed, size_t max, Picture *content)
{
	ZSTD_DCtx  *context = ZSTD_createDCtx();
	const char *problem = "memory is out";

	memset(content, 0, sizeof(*content));
	if (context != NULL &&
		!ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax,
											 MAX_WINDOW_LOG)))
		problem = unpack(context, packed, max, content);
	ZSTD_freeDCtx(context);
	if (problem != NULL)
	{
		free(content->bytes);
		memset(content, 0, sizeof(*content));
	}
	return problem;
}
