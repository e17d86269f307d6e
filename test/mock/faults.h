/*-------------------------------------------------------------------------
 *
 * faults.h
 *		What shall go wrong with a call: asked for in its prompt, or for all
 *		calls through POST /_mock/faults.
 *
 * In a prompt, one or more of
 *		[[mock fault=ID]]		status, headers and body of that fixture
 *		[[mock delay=MS]]		the answer comes later
 *		[[mock hold]]			the answer comes after POST /_mock/release
 *		[[mock reset=after]]	request read and charged, connection reset
 *		[[mock reset=body]]		charged, reset in the middle of the answer
 *		[[mock stale]]			answered; the next call on this connection is
 *								read, charged, and closed without an answer
 *		[[mock stale=idle]]		answered; then the connection is closed
 *								without having been announced
 *		[[mock bytes=N]]		a PNG of N bytes
 *		[[mock charged=no]]		or yes: what the ledger is to say
 *		[[mock times=N]]		only for the first N calls with this prompt
 * and several words may stand in one pair of brackets.
 *
 * The same words are the keys of the JSON object, or array of objects, that
 * POST /_mock/faults takes, with reset=before (before the request is read),
 * "rate" (a probability), "seed" and "clear" besides: rules for all calls, the
 * first that applies.  A prompt with a directive wins over them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOCK_FAULTS_H
#define MOCK_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

typedef struct Fixture
{
	char	   *id;
	int			status;
	char	   *headers;		/* lines, content-type among them */
	char	   *body;
	bool		charged;		/* or nobody knows, and it is no 4xx */
} Fixture;

typedef enum ResetPoint
{
	RESET_NEVER,
	RESET_BEFORE,
	RESET_AFTER,
	RESET_BODY
} ResetPoint;

typedef enum StaleKind
{
	STALE_NO,
	STALE_NEXT,
	STALE_IDLE
} StaleKind;

typedef enum ChargedWish
{
	CHARGED_AS_IS,
	CHARGED_NO,
	CHARGED_YES
} ChargedWish;

typedef struct Plan
{
	const Fixture *fixture;		/* or NULL */
	long		delay_ms;
	bool		hold;
	ResetPoint	reset;
	StaleKind	stale;
	long		picture_bytes;	/* 0: as the request says */
	ChargedWish charged;
	long		times;			/* -1: always */
} Plan;

extern bool faults_load(const char *path);
extern const Fixture *fixture_find(const char *id);

/*
 * What shall happen to a call with this prompt.  Returns NULL, or what is
 * wrong with the directive.
 */
extern const char *faults_plan(const char *prompt, Plan *plan);

/* Is this connection to be reset before anything is read from it? */
extern bool faults_may_reset_before(void);	/* is there such a rule at all */
extern bool faults_reset_before(void);	/* counts as once */

/* The body of POST /_mock/faults; NULL, or what is wrong with it. */
extern const char *faults_set(const json_t *wish);
extern void faults_reset(void);

#endif							/* MOCK_FAULTS_H */
