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
 *		[[mock comment=WORD]]	that word in the metadata of a PNG
 *		[[mock charged=no]]		or yes: what the ledger is to say
 *		[[mock times=N]]		only for the first N calls with this prompt
 * and several words may stand in one pair of brackets.
 *
 * A refusal in the provider's own words:
 *		[[mock block=WORD]]		openai and vertex's Imagen: any word.  xai:
 *								output (400, billed), prompt (403), flag and
 *								empty (200).  google, vertex: the blockReason
 *		[[mock finish=WORD]]	google, vertex: a finishReason, no picture
 *		[[mock thought]]		google, vertex: an interim picture before it
 *		[[mock echo=FORM]]		any: status 400 with the key, as echo.h says
 *
 * What it is said to cost:
 *		[[mock ticks=N]]		xai: in the answer and in the ledger
 *		[[mock tokens=A,B,C,D]]	openai, google: of text in, of pictures in, of
 *								pictures out, of words out
 *
 * Streams and deferred answers:
 *		[[mock pause=MS]]		rest between two events of a stream
 *		[[mock stream=error]]	an error event instead of the last one
 *		[[mock stream=silent]]	the stream ends without its last event
 *		[[mock pending=N]]		xai, deferred: N times 202, then the picture;
 *								1 where nothing is said
 *		[[mock deferred=failed]]	then an error instead of the picture
 *
 * Pictures by address:
 *		[[mock answer=url]]		url instead of b64_json, whatever was asked for
 *		[[mock answer=b64]]		the other way round
 *		[[mock picture=WORD]]	what the address gives: missing (404), slow (a
 *								byte a second), endless, oversized, truncated,
 *								redirect:N (N redirects, then the picture) or
 *								redirect-to:URL
 *
 * Bad answers, charged all of them:
 *		[[mock bad=endless]]	a body without end, chunked
 *		[[mock bad=head]]		a head without end
 *		[[mock bad=truncated]]	closed before content-length is reached
 *		[[mock bad=oversized]]	a whole body of OVERSIZED bytes
 *		[[mock bad=gzip-bomb]]	1 MB that inflates to 1 GB
 *		[[mock bad=slow-body]]	the right answer, a byte a second
 *		[[mock bad=json]]		no JSON
 *		[[mock bad=deep]]		JSON with DEEP arrays in each other
 *		[[mock bad=base64]]		base64 with other characters in it
 *		[[mock bad=not-a-picture]]	base64 of text
 *		[[mock bad=huge-header-png]]	says that it is 65535x65535; also -jpeg
 *		[[mock bad=gif]]		a good GIF, where none was asked for
 *		[[mock bad=empty-200]]	status 200 and no body
 *		[[mock bad=status-999]]	the right answer with that status
 *		[[mock bad=garbage]]	bytes that are no HTTP
 * Those about what is in the picture go where the picture goes: to its address
 * if there is one.
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

#include "picture.h"

#define MAX_WORD		256

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

typedef enum BadKind
{
	BAD_NOTHING,
	BAD_ENDLESS,
	BAD_HEAD,
	BAD_TRUNCATED,
	BAD_OVERSIZED,
	BAD_GZIP_BOMB,
	BAD_SLOW_BODY,
	BAD_JSON,
	BAD_DEEP,
	BAD_EMPTY_200,
	BAD_STATUS_999,
	BAD_GARBAGE,

	/* from here on in the picture, not around it */
	BAD_BASE64,
	BAD_NOT_A_PICTURE,
	BAD_HUGE_PNG,
	BAD_HUGE_JPEG,
	BAD_GIF
} BadKind;

typedef enum StreamEnd
{
	STREAM_COMPLETED,
	STREAM_ERROR,
	STREAM_SILENT
} StreamEnd;

typedef enum AnswerForm
{
	FORM_AS_ASKED,
	FORM_URL,
	FORM_BASE64
} AnswerForm;

/* What a picture's address gives. */
typedef enum AddressKind
{
	ADDRESS_PICTURE,
	ADDRESS_MISSING,
	ADDRESS_SLOW,
	ADDRESS_ENDLESS,
	ADDRESS_OVERSIZED,
	ADDRESS_TRUNCATED
} AddressKind;

typedef struct Plan
{
	const Fixture *fixture;		/* or NULL */
	long		delay_ms;
	bool		hold;
	ResetPoint	reset;
	StaleKind	stale;
	long		picture_bytes;	/* 0: as the request says */
	char		comment[MAX_COMMENT];	/* "" for none */
	ChargedWish charged;
	long		times;			/* -1: always */
	BadKind		bad;
	char		block[48];		/* "" for none */
	char		finish[48];
	char		echo[16];
	bool		thought;
	long		ticks;			/* -1: as the request says */
	bool		has_tokens;
	long		tokens[4];		/* as the directive has them */
	long		pause_ms;
	StreamEnd	stream_end;
	long		pending;
	bool		deferred_fails;
	AnswerForm	form;
	AddressKind address;
	long		redirects;		/* before the picture */
	char		redirect_to[MAX_WORD];	/* instead of it */
} Plan;

/* The fault's name in the ledger, or NULL. */
extern const char *plan_name(const Plan *plan);

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
