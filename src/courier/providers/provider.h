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

typedef struct Generation
{
	const char *model;			/* the provider's own name of it */
	const char *prompt;
	json_t	   *parameters;		/* an object, checked against the model's
								 * capabilities before it was queued */
	const char *client_request_id;	/* "<generation>.<attempt>", for the
									 * provider's support and for ledgers */
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
	const char *revised_prompt; /* or NULL; in the arena */
} OutcomePicture;

typedef struct Outcome
{
	OutcomePicture pictures[MAX_PICTURES];
	int			picture_count;
	Usage		usage;
	const char *provider_request_id;	/* or NULL; set on failure too */
} Outcome;

typedef struct ProviderAdapter
{
	const char *name;			/* as in api_providers.adapter */
	bool		needs_key;

	/*
	 * One generation.  On NEXT_DONE outcome has at least one picture whose
	 * bytes were decoded; whether they are a picture is job.c's to find out.
	 */
	Next		(*generate) (Exchange *x, const Generation *g, Outcome *outcome);
} ProviderAdapter;

extern const ProviderAdapter provider_openai;
extern const ProviderAdapter provider_sandbox;

/* By name, or NULL. */
extern const ProviderAdapter *provider_find(const char *name);

#endif							/* BAMBI_PROVIDER_H */
