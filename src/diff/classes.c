/* The class of one leaf, from its three witnesses (spec: the three-way view). */
#include "diff_priv.h"

static const struct {
	str word, text;
	bool written, alerts;
} rows[] = {
#define X(name, word, written, alert, text) {STR(word), STR(text), written, alert},
	DIFF_CLASSES(X)
#undef X
};

str diff_class_name(enum diff_class c)
{
	return rows[c].word;
}

str diff_class_text(enum diff_class c)
{
	return rows[c].text;
}

bool diff_class_written(enum diff_class c)
{
	return rows[c].written;
}

bool diff_class_alerts(enum diff_class c)
{
	return rows[c].alerts;
}

enum diff_class diff_decide(const struct obj_schema *s, const struct node *applied,
			    const struct node *desired, const struct node *live)
{
	if (!desired && !applied)
		return live ? DIFF_NOT_OURS : DIFF_IN_SYNC;
	if (!desired && !live)
		return DIFF_GONE;
	if (!desired)
		return diff_equal(s, applied, live) ? DIFF_REMOVAL : DIFF_REMOVAL_DRIFTED;
	if (diff_equal(s, desired, live))
		return applied && diff_equal(s, applied, desired) ? DIFF_IN_SYNC : DIFF_THERE;
	if (!applied)
		return live ? DIFF_TAKE_OVER : DIFF_ADDITION;
	if (diff_equal(s, applied, desired))
		return live ? DIFF_DRIFT : DIFF_DELETED;
	return live && diff_equal(s, applied, live) ? DIFF_CHANGE : DIFF_BOTH;
}
