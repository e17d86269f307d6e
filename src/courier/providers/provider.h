/*-------------------------------------------------------------------------
 *
 * provider.h
 *		What an adapter for an image provider must be able to do.
 *
 * One constant of type ProviderAdapter per file; registry.c lists them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_PROVIDER_H
#define BAMBI_PROVIDER_H

#include "../exchange.h"

/* A picture that the request brings. */
typedef struct Input
{
	const uint8_t *bytes;		/* lent until the generation has ended */
	size_t		len;
	const char *format;			/* png, jpeg, webp, gif */
	int			width;
	int			height;
} Input;

/* bambi_edit takes no more. */
#define MAX_INPUTS		16

/*
 * With inputs it is an edit, without it is made from the prompt alone.
 */
typedef struct Generation
{
	const char *model;			/* the provider's own name of it */
	const char *prompt;
	json_t	   *parameters;		/* an object, checked against the model's
								 * capabilities before it was queued */
	const char *client_request_id;	/* "<generation>.<attempt>", for the
									 * provider's support and for ledgers */
	const Input *inputs;
	int			input_count;
	const Input *mask;			/* or NULL */
} Generation;

typedef struct Usage
{
	/* tokens; -1 where the answer does not say */
	long		text_input;
	long		text_input_cached;
	long		image_input;
	long		image_input_cached;
	long		image_output;
	long		text_output;
	long		total;
} Usage;

typedef struct OutcomePicture
{
	Picture		picture;		/* bytes handed over by the adapter; job.c
								 * frees them */
	const char *url;			/* where job.c fetches them from, if the
								 * answer has only that; in the arena */
	const char *revised_prompt; /* or NULL; in the arena */
} OutcomePicture;

/* Ten thousand millions of them are a dollar, as with xAI. */
#define TICKS_PER_USD	INT64_C(10000000000)

typedef struct Outcome
{
	OutcomePicture pictures[MAX_PICTURES];
	int			picture_count;
	Usage		usage;
	int64_t		cost_ticks;		/* what the answer says it cost; -1 if it does
								 * not.  Counts on failure too */
	const char *provider_request_id;	/* or NULL; set on failure too */

	/*
	 * Where some of several requests failed and others brought pictures: how
	 * many pictures that did not come may be billed all the same, and what
	 * went wrong (scrubbed), or NULL.
	 */
	int			missing_billed;
	const char *note;
} Outcome;

typedef struct ProviderAdapter
{
	const char *name;			/* as in api_providers.adapter */
	bool		needs_key;

	/*
	 * One generation.  On NEXT_DONE outcome has at least one picture whose
	 * bytes were decoded, or whose url is known; whether they are a picture
	 * is job.c's to find out.
	 */
	Next		(*generate) (Exchange *x, const Generation *g, Outcome *outcome);

	/*
	 * Whether the provider takes the key, by a request that costs nothing;
	 * model is one that it is known to have, or NULL.  NEXT_DONE: it does.
	 * NEXT_FAIL with FAULT_INVALID_KEY: it does not.  With another fault
	 * nobody knows; the check is made again where what it names may pass.
	 * NULL where there is no such request.
	 */
	Next		(*validate) (Exchange *x, const char *model);

	/*
	 * Of an event of a streamed answer: how far the generation is, from 0 to
	 * 99 percent; the event's first picture, if it has one, is a preview
	 * then. -1 if the event is none of that: it is kept for generate to read.
	 * NULL where nothing is streamed.
	 */
	int			(*progress) (const json_t *event, const Generation *g);

	/*
	 * Hosts besides the base URL's that may hand out the pictures of its
	 * answers, a NULL at the end; "*.example.com" is any host below it.  NULL
	 * for none.  The operator adds others: settings, "image_hosts".
	 */
	const char *const *image_hosts;
} ProviderAdapter;

/* By name, or NULL. */
extern const ProviderAdapter *provider_find(const char *name);

#endif							/* BAMBI_PROVIDER_H */
