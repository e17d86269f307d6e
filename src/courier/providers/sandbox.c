/*-------------------------------------------------------------------------
 *
 * sandbox.c
 *		A provider without network, key or price: it draws.
 *
 * The same prompt gives the same picture, another prompt another one, and
 * the prompt stands written on it, so that people and tests can tell which
 * picture is whose.  An edit of other pictures gives another one too; what
 * they show is not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider.h"

#define DEFAULT_SIDE	512
#define SMALLEST_SIDE	1
#define LARGEST_SIDE	1536

/* Nobody could read it on a smaller picture. */
#define SMALLEST_WITH_TEXT	96
#define MAX_LINES	4
#define MAX_LINE	256			/* bytes */

typedef struct Size
{
	int			width;
	int			height;
} Size;

/* A PNG that grows while cairo writes it. */
typedef struct Sink
{
	Picture    *picture;
	size_t		size;
} Sink;

/* ---- what chance is made of ---- */

/* FNV-1a: spreads well, and keeps no secret. */
static uint64_t
add_to_hash(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t
hash_request(const Generation *g)
{
	uint64_t	hash = UINT64_C(14695981039346656037);

	hash = add_to_hash(hash, g->prompt, strlen(g->prompt));
	for (int i = 0; i < g->input_count; i++)
		hash = add_to_hash(hash, g->inputs[i].bytes, g->inputs[i].len);
	if (g->mask != NULL)
		hash = add_to_hash(hash, g->mask->bytes, g->mask->len);
	return hash;
}

/* The next number in [0, 1) (splitmix64). */
static double
chance(uint64_t *state)
{
	uint64_t	z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (double) (z >> 11) / (double) (UINT64_C(1) << 53);
}

/* ---- drawing ---- */

/* One channel of a colour of full saturation; hue turns from 0 to 1. */
static double
channel(double hue, double shift)
{
	double		turn = hue + shift;
	double		distance;

	turn -= (int) turn;
	distance = turn < 0.5 ? 0.5 - turn : turn - 0.5;
	if (distance < 1.0 / 6)
		return 0;
	return distance > 1.0 / 3 ? 1 : (distance - 1.0 / 6) * 6;
}

/* lightness 0 is full colour, 1 is white. */
static void
choose_colour(cairo_t *cr, double hue, double lightness, double alpha)
{
	double		scale = 1 - lightness;

	cairo_set_source_rgba(cr,
						  lightness + scale * channel(hue, 0),
						  lightness + scale * channel(hue, 2.0 / 3),
						  lightness + scale * channel(hue, 1.0 / 3),
						  alpha);
}

/* Circle, box or triangle, in a square of side 2 around the origin. */
static void
outline_shape(cairo_t *cr, int kind)
{
	switch (kind)
	{
		case 0:
			cairo_arc(cr, 0, 0, 1, 0, 6.2832);
			break;
		case 1:
			cairo_rectangle(cr, -0.8, -0.8, 1.6, 1.6);
			break;
		default:
			cairo_move_to(cr, 0, -1);
			cairo_line_to(cr, 0.9, 0.7);
			cairo_line_to(cr, -0.9, 0.7);
			cairo_close_path(cr);
			break;
	}
}

static void
draw_shapes(cairo_t *cr, Size size, uint64_t seed)
{
	uint64_t	state = seed;
	double		hue = chance(&state);
	double		reach = size.width < size.height ? size.width : size.height;
	int			count = 5 + (int) (chance(&state) * 5);

	choose_colour(cr, hue, 0.7, 1);
	cairo_paint(cr);
	for (int i = 0; i < count; i++)
	{
		double		x = chance(&state) * size.width;
		double		y = chance(&state) * size.height;
		double		radius = reach * (0.1 + 0.25 * chance(&state));

		cairo_save(cr);
		cairo_translate(cr, x, y);
		cairo_rotate(cr, chance(&state) * 6.2832);
		cairo_scale(cr, radius, radius);
		outline_shape(cr, (int) (chance(&state) * 3));
		choose_colour(cr, hue + 0.15 + 0.7 * chance(&state), 0.2, 0.75);
		cairo_fill(cr);
		cairo_restore(cr);
	}
}

/*
 * Copies the words of *text that fit into width to line, and moves on past
 * them; a word that is longer than a line is broken.  Control characters
 * count as spaces.
 */
static void
take_line(cairo_t *cr, double width, const char **text, char line[MAX_LINE])
{
	const char *p = *text;
	const char *space = NULL;	/* the last one that was copied */
	size_t		len = 0;
	size_t		len_at_space = 0;

	while ((uint8_t) *p <= ' ' && *p != '\0')
		p++;
	while (*p != '\0')
	{
		cairo_text_extents_t extents;
		size_t		before = len;
		const char *start = p;

		if ((uint8_t) *p <= ' ')
		{
			space = p;
			len_at_space = len;
		}
		do						/* a whole UTF-8 character */
			line[len++] = (uint8_t) *p <= ' ' ? ' ' : *p;
		while ((*++p & 0xc0) == 0x80 && len < MAX_LINE - 1);
		line[len] = '\0';
		cairo_text_extents(cr, line, &extents);
		if (extents.x_advance > width || len >= MAX_LINE - 5)
		{
			p = space != NULL ? space : start;
			len = space != NULL ? len_at_space : before;
			if (p == *text)		/* not even one character fits */
				p += strlen(p);
			break;
		}
	}
	line[len] = '\0';
	*text = p;
}

/* The prompt, on a band along the lower edge. */
static void
write_prompt(cairo_t *cr, Size size, const char *prompt)
{
	char		lines[MAX_LINES][MAX_LINE];
	int			count = 0;
	double		letter = size.width / 18.0;
	double		margin = letter * 0.6;
	double		top;

	if (letter > size.height / 9.0)
		letter = size.height / 9.0;
	cairo_select_font_face(cr, "sans", CAIRO_FONT_SLANT_NORMAL,
						   CAIRO_FONT_WEIGHT_BOLD);
	cairo_set_font_size(cr, letter);
	while (count < MAX_LINES && *prompt != '\0')
		take_line(cr, size.width - 2 * margin, &prompt, lines[count++]);

	top = size.height - letter * (1.2 * count + 0.8);
	cairo_set_source_rgba(cr, 0, 0, 0, 0.7);
	cairo_rectangle(cr, 0, top, size.width, size.height - top);
	cairo_fill(cr);
	cairo_set_source_rgb(cr, 1, 1, 1);
	for (int i = 0; i < count; i++)
	{
		cairo_move_to(cr, margin, top + letter * (1.2 * (i + 1)));
		cairo_show_text(cr, lines[i]);
	}
}

static cairo_status_t
write_png(void *closure, const unsigned char *bytes, unsigned int len)
{
	Sink	   *sink = closure;
	Picture    *picture = sink->picture;

	if (picture->len + len > sink->size)
	{
		size_t		size = (picture->len + len) * 2;
		uint8_t    *larger = realloc(picture->bytes, size);

		if (larger == NULL)
			return CAIRO_STATUS_NO_MEMORY;
		picture->bytes = larger;
		sink->size = size;
	}
	memcpy(picture->bytes + picture->len, bytes, len);
	picture->len += len;
	return CAIRO_STATUS_SUCCESS;
}

static bool
draw(Size size, const Generation *g, int position, Picture *picture)
{
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24,
														  size.width,
														  size.height);
	cairo_t    *cr = cairo_create(surface);
	Sink		sink = {picture, 0};
	bool		is_drawn;

	draw_shapes(cr, size, hash_request(g) + (uint64_t) position);
	if (size.width >= SMALLEST_WITH_TEXT && size.height >= SMALLEST_WITH_TEXT)
		write_prompt(cr, size, g->prompt);
	is_drawn = cairo_surface_write_to_png_stream(surface, write_png, &sink) ==
		CAIRO_STATUS_SUCCESS;
	cairo_destroy(cr);
	cairo_surface_destroy(surface);
	return is_drawn;
}

/* ---- the adapter ---- */

/* "WIDTHxHEIGHT", "auto" or nothing. */
static bool
read_size(const Generation *g, Size *size)
{
	const char *text = json_string_value(json_object_get(g->parameters,
														 "size"));
	char		rest;

	size->width = DEFAULT_SIDE;
	size->height = DEFAULT_SIDE;
	if (text == NULL || strcmp(text, "auto") == 0)
		return true;
	return sscanf(text, "%5dx%5d%c", &size->width, &size->height, &rest) == 2
		&& size->width >= SMALLEST_SIDE && size->width <= LARGEST_SIDE
		&& size->height >= SMALLEST_SIDE && size->height <= LARGEST_SIDE;
}

/*
 * One picture a step, since drawing holds up everything else that the
 * courier does.
 */
static Next
sandbox_generate(Exchange *x, const Generation *g, Outcome *outcome)
{
	const json_t *n = json_object_get(g->parameters, "n");
	json_int_t	count = json_is_integer(n) ? json_integer_value(n) : 1;
	OutcomePicture *taken = &outcome->pictures[x->step];
	Usage	   *usage = &outcome->usage;
	Size		size;

	if (!read_size(g, &size))
		return exchange_fail(x, FAULT_BAD_REQUEST,
							 "\"size\" must be like 256x256, each side at "
							 "most 1536");
	if (count < 1 || count > MAX_PICTURES)
		return exchange_fail(x, FAULT_BAD_REQUEST, "\"n\" must be 1 to 10");

	if (!draw(size, g, x->step, &taken->picture))
	{
		free(taken->picture.bytes);
		taken->picture.bytes = NULL;
		return exchange_fail(x, FAULT_INTERNAL,
							 "the picture could not be drawn");
	}
	usage->text_input = usage->text_input_cached = -1;
	usage->image_input = usage->image_input_cached = -1;
	usage->image_output = usage->text_output = usage->total = -1;
	outcome->picture_count = ++x->step;
	x->sleep_ms = 0;
	return x->step < count ? NEXT_SLEEP : NEXT_DONE;
}

const ProviderAdapter provider_sandbox = {
	.name = "sandbox",
	.needs_key = false,
	.generate = sandbox_generate,
};
