/*-------------------------------------------------------------------------
 *
 * worker.h
 *		One database's worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_WORKER_H
#define BAMBI_WORKER_H

/* The dynamic background worker of the database with oid arg. */
extern PGDLLEXPORT void bambi_worker_main(Datum arg) pg_attribute_noreturn();

#endif							/* BAMBI_WORKER_H */
