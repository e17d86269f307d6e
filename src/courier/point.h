/*-------------------------------------------------------------------------
 *
 * point.h
 *		Labelled points of a generation's way, where a test can hold the
 *		courier in order to kill it there.
 *
 * Without the developer option bambi.debug_points a point costs one
 * comparison.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_COURIER_POINT_H
#define BAMBI_COURIER_POINT_H

#include <stdbool.h>

#define POINT(name) \
	do { \
		if (__builtin_expect(point_is_armed, false)) \
			point_hold(name); \
	} while (0)

extern bool point_is_armed;

/* The directory that is looked at; empty or NULL disarms all points. */
extern void point_arm(const char *directory);

/*
 * If the file NAME is in that directory: writes NAME.reached beside it, with
 * this process's id, and returns once NAME is gone.
 */
extern void point_hold(const char *name);

#endif							/* BAMBI_COURIER_POINT_H */
