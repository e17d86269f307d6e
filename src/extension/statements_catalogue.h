/*-------------------------------------------------------------------------
 *
 * statements_catalogue.h
 *		The statements that read the catalogue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_CATALOGUE_H
#define BAMBI_STATEMENTS_CATALOGUE_H

#include "statements.h"

extern BambiStatement bambi_catalogue_models_by_name;
extern BambiStatement bambi_catalogue_model_by_id;
extern BambiStatement bambi_catalogue_of_plan;

#endif							/* BAMBI_STATEMENTS_CATALOGUE_H */
