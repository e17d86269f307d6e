/*-------------------------------------------------------------------------
 *
 * link.h
 *		The socket to the worker: frames in and out, many with one system
 *		call.
 *
 * One per process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_LINK_H
#define BAMBI_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol/frame.h"
#include "exchange.h"

/*
 * Called for each frame; key, json and the picture behind it are lent until it
 * returns.  False if
 * the frame makes no sense: then nothing the worker says can be trusted, and
 * the link is closed.
 */
typedef bool (*LinkReceive) (const FrameHead *head, const char *key,
							 const char *json, const uint8_t *picture);

extern void link_start(int fd, LinkReceive receive);

/* False once the worker is gone, or what it sent made no sense. */
extern bool link_is_open(void);

/*
 * Queues bytes that are whole frames, or pieces of one in order.  Lent until
 * *unsent, which counts one up here, is down again: they were handed to the
 * kernel, or the worker is gone.
 */
extern void link_send(const void *bytes, size_t len, int *unsent);

/* Queues a frame without key and picture; json is copied. */
extern void link_send_text(FrameType type, uint64_t tag, uint32_t status,
						   const char *json, size_t len);

/*
 * The same with a picture part, whose bytes are malloc'ed and given; NULL is
 * none.
 */
extern void link_send_payload(FrameType type, uint64_t tag, uint32_t status,
							  const char *json, size_t len, Picture *payload);

/* Queues a PROGRESS frame; the picture's bytes are copied, NULL is none. */
extern void link_send_progress(uint64_t tag, uint32_t percent,
							   const Picture *preview);

/* A line for the server's log: constant text and scrubbed values only. */
extern void link_log(FrameLevel level, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Sends what is queued, as far as the socket takes it. */
extern void link_flush(void);

#endif							/* BAMBI_LINK_H */
