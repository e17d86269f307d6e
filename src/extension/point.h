/*-------------------------------------------------------------------------
 *
 * point.h
 *		Labelled points of a generation's way, where a test can hold a process
 *		in order to kill it there.
 *
 * With bambi.debug_points empty, as it is but in tests, a point costs one
 * comparison.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_POINT_H
#define BAMBI_POINT_H

#include "settings.h"

#define BAMBI_POINT(name) \
	do { \
		if (unlikely(bambi_debug_points != NULL && bambi_debug_points[0])) \
			bambi_point_hold(name); \
	} while (0)

/*
 * If the file NAME is in the directory bambi.debug_points: writes
 * NAME.reached beside it and returns once NAME is gone.
 */
extern void bambi_point_hold(const char *name);

#endif							/* BAMBI_POINT_H */
