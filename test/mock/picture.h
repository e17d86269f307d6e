/*-------------------------------------------------------------------------
 *
 * picture.h
 *		Pictures that a decoder accepts, drawn once and kept as base64.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_PICTURE_H
#define MOCK_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PictureFormat
{
	FORMAT_PNG,
	FORMAT_JPEG,
	FORMAT_WEBP
} PictureFormat;

typedef struct PictureWish
{
	int			width;
	int			height;
	PictureFormat format;
	int			compression;	/* 0 to 100, jpeg and webp */
	bool		is_transparent;
	unsigned	colour;			/* the same number, the same picture */
	long		bytes;			/* > 0: a PNG of so many bytes, of any size */
} PictureWish;

/* Base64 text, shared by all answers that carry it. */
typedef struct Blob
{
	int			references;
	size_t		length;
	char		data[];
} Blob;

/* The reference is given. */
extern Blob *picture_get(const PictureWish *wish);
extern void blob_release(Blob *blob);

#endif							/* MOCK_PICTURE_H */
