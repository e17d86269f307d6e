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

#define MAX_COMMENT		48

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
	char		comment[MAX_COMMENT];	/* in the metadata of a PNG; "" for
										 * none */
} PictureWish;

typedef struct Bytes
{
	unsigned char *data;
	size_t		length;
	size_t		size;
} Bytes;

extern void bytes_add(Bytes *bytes, const void *data, size_t length);

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

/* Its bytes, as a blob of their own. */
extern Blob *blob_decoded(const Blob *base64);

/* "png", "jpeg" or "webp". */
extern const char *format_name(PictureFormat format);

#endif							/* MOCK_PICTURE_H */
