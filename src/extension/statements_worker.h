/*-------------------------------------------------------------------------
 *
 * statements_worker.h
 *		The worker's statements; arguments and results stand at each in
 *		statements_worker.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_WORKER_H
#define BAMBI_STATEMENTS_WORKER_H

#include "statements.h"

extern BambiStatement bambi_worker_next_not_before;
extern BambiStatement bambi_worker_lowest_turn;
extern BambiStatement bambi_worker_is_waiting;
extern BambiStatement bambi_worker_cancels;
extern BambiStatement bambi_worker_settle_succeeded;
extern BambiStatement bambi_worker_still_claimed;
extern BambiStatement bambi_worker_insert_picture;
extern BambiStatement bambi_worker_lock_one;
extern BambiStatement bambi_worker_requeue;
extern BambiStatement bambi_worker_end;
extern BambiStatement bambi_worker_orphans;
extern BambiStatement bambi_worker_sealing_key;
extern BambiStatement bambi_worker_instance;
extern BambiStatement bambi_worker_ensure_months;
extern BambiStatement bambi_worker_write_off;
extern BambiStatement bambi_worker_next_write_off;
extern BambiStatement bambi_worker_inputs;
extern BambiStatement bambi_worker_progress;
extern BambiStatement bambi_worker_forget_preview;
extern BambiStatement bambi_worker_take_errands;
extern BambiStatement bambi_worker_next_errand;
extern BambiStatement bambi_worker_errand_done;
extern BambiStatement bambi_worker_errand_failed;

#endif							/* BAMBI_STATEMENTS_WORKER_H */
