/*-------------------------------------------------------------------------
 *
 * picture.h
 *		What kind of picture some bytes are, by looking at their header.
 *
 * No pixel is decoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PICTURE_H
#define BAMBI_PICTURE_H

#include <stddef.h>
#include <stdint.h>

/* Rule N7: what may be decoded later without fear for memory. */
#define PICTURE_MAX_SIDE	16384
#define PICTURE_MAX_AREA	(64 * 1024 * 1024)

typedef enum PictureVerdict
{
	PICTURE_OK = 0,
	PICTURE_UNKNOWN,			/* neither png, jpeg, webp nor gif */
	PICTURE_BROKEN,				/* one of these, but the header makes no sense
								 * or is not all there */
	PICTURE_TOO_LARGE			/* a side or the area is over its limit */
} PictureVerdict;

typedef struct PictureFacts
{
	const char *format;			/* "png", "jpeg", "webp", "gif"; NULL if
								 * unknown */
	int			width;			/* 0 unless OK */
	int			height;
} PictureFacts;

extern PictureVerdict picture_sniff(const uint8_t *bytes, size_t len,
									PictureFacts *facts);

#endif							/* BAMBI_PICTURE_H */
