/*-------------------------------------------------------------------------
 *
 * picture.c
 *		What kind of picture some bytes are, by looking at their header.
 *
 * The bytes are a stranger's: each reader gets them with their length, and
 * asks before every look.
 *
 *-------------------------------------------------------------------------
 */
#include "picture.h"

#include <stdbool.h>
#include <string.h>

/* The longest walk through a JPEG's segments before its frame header. */
#define MAX_SEGMENTS	1000

typedef struct Size
{
	uint32_t	width;
	uint32_t	height;
} Size;

static uint32_t
big16(const uint8_t *p)
{
	return (uint32_t) p[0] << 8 | p[1];
}

static uint32_t
big32(const uint8_t *p)
{
	return big16(p) << 16 | big16(p + 2);
}

static uint32_t
little16(const uint8_t *p)
{
	return (uint32_t) p[1] << 8 | p[0];
}

static uint32_t
little24(const uint8_t *p)
{
	return (uint32_t) p[2] << 16 | little16(p);
}

static uint32_t
little32(const uint8_t *p)
{
	return little16(p + 2) << 16 | little16(p);
}

/* The first chunk of a PNG is IHDR, always of 13 bytes and a checksum. */
static bool
read_png(const uint8_t *bytes, size_t len, Size *size)
{
	if (len < 33 || big32(bytes + 8) != 13 ||
		memcmp(bytes + 12, "IHDR", 4) != 0)
		return false;
	size->width = big32(bytes + 16);
	size->height = big32(bytes + 20);
	return true;
}

/* SOF0 to SOF15, without the three other markers among them. */
static bool
is_frame_header(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf &&
		marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Walks the segments of a JPEG up to the frame header. */
static bool
read_jpeg(const uint8_t *bytes, size_t len, Size *size)
{
	size_t		at = 2;

	for (int i = 0; i < MAX_SEGMENTS; i++)
	{
		uint8_t		marker;
		uint32_t	segment;

		if (at >= len || bytes[at] != 0xff)
			return false;
		while (at < len && bytes[at] == 0xff)	/* any number may fill */
			at++;
		if (len - at < 3)
			return false;
		marker = bytes[at++];
		/* RSTn, SOI, EOI, SOS: nothing of these comes before the frame */
		if (marker == 0x00 || (marker >= 0xd0 && marker <= 0xda))
			return false;
		if (marker == 0x01)		/* TEM stands alone */
			continue;
		segment = big16(bytes + at);
		if (segment < 2)
			return false;
		if (is_frame_header(marker))
		{
			if (segment < 8 || len - at < 8)
				return false;
			size->height = big16(bytes + at + 3);
			size->width = big16(bytes + at + 5);
			return true;
		}
		if (len - at < segment)
			return false;
		at += segment;
	}
	return false;
}

/* RIFF with one of the three chunks that WebP may begin with (RFC 9649). */
static bool
read_webp(const uint8_t *bytes, size_t len, Size *size)
{
	const uint8_t *chunk = bytes + 12;
	const uint8_t *content = bytes + 20;

	if (len < 30)
		return false;
	if (memcmp(chunk, "VP8 ", 4) == 0)
	{
		/* a key frame: bit 0 of its tag is zero */
		if (little32(chunk + 4) < 10 || (content[0] & 1) != 0 ||
			memcmp(content + 3, "\x9d\x01\x2a", 3) != 0)
			return false;
		size->width = little16(content + 6) & 0x3fff;
		size->height = little16(content + 8) & 0x3fff;
		return true;
	}
	if (memcmp(chunk, "VP8L", 4) == 0)
	{
		uint32_t	bits = little32(content + 1);

		if (little32(chunk + 4) < 5 || content[0] != 0x2f)
			return false;
		size->width = (bits & 0x3fff) + 1;
		size->height = (bits >> 14 & 0x3fff) + 1;
		return true;
	}
	if (memcmp(chunk, "VP8X", 4) == 0)
	{
		if (little32(chunk + 4) < 10)
			return false;
		size->width = little24(content + 4) + 1;
		size->height = little24(content + 7) + 1;
		return true;
	}
	return false;
}

/* The logical screen, right behind the signature. */
static bool
read_gif(const uint8_t *bytes, size_t len, Size *size)
{
	/* with the screen's descriptor and at least the trailer */
	if (len < 14)
		return false;
	size->width = little16(bytes + 6);
	size->height = little16(bytes + 8);
	return true;
}

PictureVerdict
picture_sniff(const uint8_t *bytes, size_t len, PictureFacts *facts)
{
	Size		size = {0, 0};
	bool		is_read;

	memset(facts, 0, sizeof(*facts));
	if (len >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
	{
		facts->format = "png";
		is_read = read_png(bytes, len, &size);
	}
	else if (len >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
	{
		facts->format = "jpeg";
		is_read = read_jpeg(bytes, len, &size);
	}
	else if (len >= 12 && memcmp(bytes, "RIFF", 4) == 0 &&
			 memcmp(bytes + 8, "WEBP", 4) == 0)
	{
		facts->format = "webp";
		is_read = read_webp(bytes, len, &size);
	}
	else if (len >= 6 && (memcmp(bytes, "GIF89a", 6) == 0 ||
						  memcmp(bytes, "GIF87a", 6) == 0))
	{
		facts->format = "gif";
		is_read = read_gif(bytes, len, &size);
	}
	else
		return PICTURE_UNKNOWN;

	if (!is_read || size.width == 0 || size.height == 0)
		return PICTURE_BROKEN;
	if (size.width > PICTURE_MAX_SIDE || size.height > PICTURE_MAX_SIDE ||
		(uint64_t) size.width * size.height > PICTURE_MAX_AREA)
		return PICTURE_TOO_LARGE;
	facts->width = (int) size.width;
	facts->height = (int) size.height;
	return PICTURE_OK;
}
