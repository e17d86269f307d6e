/*-------------------------------------------------------------------------
 *
 * inputs.c
 *		Can this model edit these pictures?
 *
 * models.capabilities has the limits under "inputs" (described at that
 * column); a model without them makes pictures from a prompt alone.  What
 * depends on the pixels, such as whether a mask has an alpha channel, is left
 * to the provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "document.h"
#include "inputs.h"
#include "refuse.h"

/* The only format with a transparency that providers read as a mask. */
#define MASK_FORMAT	"png"

static JsonbContainer *
limits_of(const BambiModel *model)
{
	JsonbContainer *limits = bambi_document_container(&model->capabilities->root,
													  "inputs");

	if (limits == NULL)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("model \"%s\" cannot edit pictures",
							  model->name),
					 "It makes them from a prompt alone.",
					 "See bambi_models for those whose capabilities have inputs.");
	return limits;
}

/* "png, jpeg" */
static char *
listed(JsonbContainer *values)
{
	StringInfoData out;
	JsonbIterator *iterator = JsonbIteratorInit(values);
	JsonbValue	value;

	initStringInfo(&out);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_ELEM)
	{
		if (value.type == jbvString)
			appendStringInfo(&out, "%s%.*s", out.len > 0 ? ", " : "",
							 value.val.string.len, value.val.string.val);
	}
	return out.data;
}

static bool
has_string(JsonbContainer *values, const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	return findJsonbValueFromContainer(values, JB_FARRAY, &value) != NULL;
}

static void
check_bytes(const char *what, int64 bytes, double most)
{
	if (bytes > most)
		bambi_refuse(BAMBI_BAD_VALUE, psprintf("%s too large", what),
					 psprintf("There are %lld bytes; allowed are %.0f.",
							  (long long) bytes, most), NULL);
}

void
bambi_inputs_check_count(const BambiModel *model, int count)
{
	JsonbContainer *limits = limits_of(model);
	double		most = bambi_document_number(limits, "max", 1);

	if (count < 1)
		bambi_refuse(BAMBI_BAD_VALUE, "there is no picture to edit", NULL,
					 "Give one at least.");
	if (count > most)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("model \"%s\" does not edit %d pictures at once",
							  model->name, count),
					 psprintf("It takes %.0f at most.", most), NULL);
}

static void
check_picture(const BambiModel *model, JsonbContainer *limits, int number,
			  const BambiInput *input)
{
	JsonbContainer *formats = bambi_document_container(limits, "formats");

	if (formats && !has_string(formats, input->format))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("picture %d is %s, which model \"%s\" does not take",
							  number, input->format, model->name),
					 psprintf("Allowed are %s.", listed(formats)), NULL);
	if (bambi_document_truth(limits, "square") &&
		input->width != input->height)
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("picture %d is not square", number),
					 psprintf("It has %dx%d pixels; model \"%s\" takes square pictures only.",
							  input->width, input->height, model->name),
					 NULL);
	check_bytes(psprintf("picture %d is", number), input->bytes,
				bambi_document_number(limits, "max_bytes", INFINITY));
}

static void
check_mask(const BambiModel *model, JsonbContainer *limits,
		   const BambiInput *first, const BambiInput *mask)
{
	if (!bambi_document_truth(limits, "mask"))
		bambi_refuse(BAMBI_BAD_VALUE,
					 psprintf("model \"%s\" takes no mask", model->name),
					 NULL, "Say in the prompt what is to change.");
	if (strcmp(mask->format, MASK_FORMAT) != 0)
		bambi_refuse(BAMBI_BAD_VALUE, "mask is not a PNG",
					 psprintf("It is %s.", mask->format),
					 "Make it a PNG that is transparent where the picture may change.");
	if (mask->width != first->width || mask->height != first->height)
		bambi_refuse(BAMBI_BAD_VALUE,
					 "mask and first picture differ in size",
					 psprintf("The mask has %dx%d pixels, the picture %dx%d.",
							  mask->width, mask->height, first->width,
							  first->height),
					 "Make the mask as large as the first picture.");
	check_bytes("mask is", mask->bytes,
				bambi_document_number(limits, "mask_max_bytes", INFINITY));
}

void
bambi_inputs_check(const BambiModel *model, const BambiInput *inputs,
				   int count, const BambiInput *mask)
{
	JsonbContainer *limits = limits_of(model);
	int64		total = mask ? mask->bytes : 0;

	bambi_inputs_check_count(model, count);
	for (int i = 0; i < count; i++)
	{
		check_picture(model, limits, i + 1, &inputs[i]);
		total += inputs[i].bytes;
	}
	if (mask)
		check_mask(model, limits, &inputs[0], mask);
	check_bytes("pictures together are", total,
				bambi_document_number(limits, "max_total_bytes", INFINITY));
}
