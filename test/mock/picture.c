/*-------------------------------------------------------------------------
 *
 * picture.c
 *		Draws a gradient as PNG, JPEG or WebP, and keeps what was drawn.
 *
 * A picture of a wished number of bytes is noise that does not compress, with
 * a comment chunk that makes up the difference.
 *
 *-------------------------------------------------------------------------
 */
#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <openssl/evp.h>
#include <png.h>
#include <webp/encode.h>

#define MAX_KEPT		512
#define MAX_KEPT_BYTES	(512UL * 1024 * 1024)
#define COMMENT_COST	20		/* chunk head and tail, keyword, its zero */

typedef struct Kept
{
	PictureWish wish;
	Blob	   *blob;
} Kept;

static Kept kept[MAX_KEPT];
static int	kept_count;
static size_t kept_bytes;

void
bytes_add(Bytes *bytes, const void *data, size_t length)
{
	if (bytes->length + length > bytes->size)
	{
		bytes->size = (bytes->length + length) * 2;
		bytes->data = realloc(bytes->data, bytes->size);
		if (bytes->data == NULL)
			abort();
	}
	memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
}

static void
write_png_bytes(png_structp png, png_bytep data, size_t length)
{
	bytes_add(png_get_io_ptr(png), data, length);
}

static void
flush_png_bytes(png_structp png)
{
	(void) png;
}

/* comment: text to add, "" for none */
static void
write_png(Bytes *bytes, const unsigned char *pixels, int width, int height,
		  int channels, int level, const char *comment)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
											  NULL, NULL);
	png_infop	info = png_create_info_struct(png);
	png_text	text = {.compression = PNG_TEXT_COMPRESSION_NONE};

	bytes->length = 0;
	png_set_write_fn(png, bytes, write_png_bytes, flush_png_bytes);
	png_set_IHDR(png, info, width, height, 8,
				 channels == 4 ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB,
				 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
				 PNG_FILTER_TYPE_DEFAULT);
	png_set_compression_level(png, level);
	png_set_filter(png, 0, level == 0 ? PNG_FILTER_NONE : PNG_FILTER_SUB);
	if (comment[0] != '\0')
	{
		text.key = "Comment";
		text.text = (char *) comment;
		png_set_text(png, info, &text, 1);
	}
	png_write_info(png, info);
	for (int y = 0; y < height; y++)
		png_write_row(png, pixels + (size_t) y * width * channels);
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
}

static void
write_jpeg(Bytes *bytes, const unsigned char *pixels, int width, int height,
		   int quality)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned char *data = NULL;
	unsigned long length = 0;

	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &data, &length);
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.input_components = 3;
	jpeg.in_color_space = JCS_RGB;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, quality, TRUE);
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < jpeg.image_height)
	{
		size_t		done = (size_t) jpeg.next_scanline * width * 3;
		JSAMPROW	row = (JSAMPROW) pixels + done;

		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	bytes_add(bytes, data, length);
	free(data);
}

static void
write_webp(Bytes *bytes, const unsigned char *pixels, int width, int height,
		   int channels, int quality)
{
	unsigned char *data = NULL;
	size_t		length;

	length = channels == 4 ?
		WebPEncodeRGBA(pixels, width, height, width * 4, quality, &data) :
		WebPEncodeRGB(pixels, width, height, width * 3, quality, &data);
	bytes_add(bytes, data, length);
	WebPFree(data);
}

/* One colour in the top left corner, another in the bottom right. */
static unsigned char *
draw_gradient(int width, int height, int channels, unsigned colour)
{
	unsigned char *pixels = malloc((size_t) width * height * channels);
	unsigned char *p = pixels;
	unsigned	from = colour * 2654435761u;
	unsigned	to = ~from * 2246822519u;

	if (pixels == NULL)
		abort();
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
		{
			int			share = (x * 128) / width + (y * 128) / height;

			for (int k = 0; k < 3; k++)
			{
				int			a = (from >> (8 * k)) & 255;
				int			b = (to >> (8 * k)) & 255;

				*p++ = a + (b - a) * share / 256;
			}
			if (channels == 4)
				*p++ = 255 - share;
		}
	return pixels;
}

static void
draw_noise(Bytes *bytes, long wished, unsigned colour)
{
	long		payload = wished - 180 - wished / 400;
	int			height = payload < 3 ? 1 : (int) sqrt(payload / 3.0);
	int			width = payload < 3 ? 1 : payload / 3 / height;
	size_t		length = (size_t) width * height * 3;
	unsigned char *pixels = malloc(length);
	uint64_t	state = colour + 88172645463325252ULL;

	for (size_t i = 0; i < length; i++)
	{
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		pixels[i] = state >> 32;
	}
	write_png(bytes, pixels, width, height, 3, 0, "");
	if ((long) bytes->length + COMMENT_COST < wished)
	{
		size_t		rest = wished - bytes->length - COMMENT_COST;
		char	   *comment = calloc(1, rest + 1);

		memset(comment, '.', rest);
		write_png(bytes, pixels, width, height, 3, 0, comment);
		free(comment);
	}
	free(pixels);
}

static void
draw(Bytes *bytes, const PictureWish *wish)
{
	int			channels = wish->is_transparent ? 4 : 3;
	unsigned char *pixels;

	if (wish->bytes > 0)
	{
		draw_noise(bytes, wish->bytes, wish->colour);
		return;
	}
	pixels = draw_gradient(wish->width, wish->height, channels, wish->colour);
	switch (wish->format)
	{
		case FORMAT_PNG:
			write_png(bytes, pixels, wish->width, wish->height, channels, 1,
					  wish->comment);
			break;
		case FORMAT_JPEG:
			write_jpeg(bytes, pixels, wish->width, wish->height,
					   wish->compression);
			break;
		case FORMAT_WEBP:
			write_webp(bytes, pixels, wish->width, wish->height, channels,
					   wish->compression);
			break;
	}
	free(pixels);
}

void
blob_release(Blob *blob)
{
	if (--blob->references == 0)
		free(blob);
}

Blob *
blob_decoded(const Blob *base64)
{
	Blob	   *blob = malloc(sizeof(Blob) + base64->length / 4 * 3 + 1);
	const char *end = base64->data + base64->length;
	int			length;

	if (blob == NULL)
		abort();
	length = EVP_DecodeBlock((unsigned char *) blob->data,
							 (const unsigned char *) base64->data,
							 base64->length);
	blob->references = 1;
	blob->length = length < 0 ? 0 :
		length - (end[-1] == '=') - (end[-2] == '=');
	return blob;
}

const char *
format_name(PictureFormat format)
{
	static const char *const names[] = {"png", "jpeg", "webp"};

	return names[format];
}

static void
forget_all(void)
{
	for (int i = 0; i < kept_count; i++)
		blob_release(kept[i].blob);
	kept_count = 0;
	kept_bytes = 0;
}

static bool
is_same(const PictureWish *a, const PictureWish *b)
{
	if (a->bytes > 0 || b->bytes > 0)
		return a->bytes == b->bytes && a->colour == b->colour;
	return a->width == b->width && a->height == b->height &&
		a->format == b->format && a->compression == b->compression &&
		a->is_transparent == b->is_transparent && a->colour == b->colour &&
		strcmp(a->comment, b->comment) == 0;
}

Blob *
picture_get(const PictureWish *wish)
{
	Bytes		bytes = {0};
	Blob	   *blob;

	for (int i = 0; i < kept_count; i++)
		if (is_same(&kept[i].wish, wish))
		{
			kept[i].blob->references++;
			return kept[i].blob;
		}

	draw(&bytes, wish);
	blob = malloc(sizeof(Blob) + (bytes.length + 2) / 3 * 4 + 1);
	if (blob == NULL)
		abort();
	blob->references = 2;		/* the caller's and ours */
	blob->length = EVP_EncodeBlock((unsigned char *) blob->data, bytes.data,
								   bytes.length);
	free(bytes.data);

	if (kept_count == MAX_KEPT || kept_bytes + blob->length > MAX_KEPT_BYTES)
		forget_all();
	kept[kept_count].wish = *wish;
	kept[kept_count++].blob = blob;
	kept_bytes += blob->length;
	return blob;
}
