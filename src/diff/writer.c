/* Who wrote a field last: the newest other manager whose set holds it; for a field that was
 * removed, nobody's set does, and only "who wrote since" is left. */
#include <stdlib.h>

#include "diff_priv.h"

static bool holds(struct arena *a, const struct diff_fields *f, const struct diff_change *c)
{
	for (size_t i = 0; i < c->n_steps; i++) {
		const struct diff_step *step = &c->steps[i];
		const struct field *m = step->kind == DIFF_FIELD
						? fields_get(f, step->name)
						: fields_element(a, f, step->element);

		if (!m)
			return false;
		f = m->sub;
		if (!f->v.n)
			return true; /* a leaf of the set is all that lies below it */
	}
	return true;
}

static int newest_first(const void *x, const void *y)
{
	const struct diff_manager *const *l = x, *const *r = y;

	if ((*l)->time != (*r)->time)
		return (*l)->time > (*r)->time ? -1 : 1;
	return str_cmp((*l)->name, (*r)->name);
}

struct diff_writer diff_writer(struct arena *a, const struct diff_managed *m,
			       const struct diff_change *c, str ours, msec since)
{
	const struct diff_manager **owners = ARENA_ARRAY(a, const struct diff_manager *, m->n);
	const struct diff_manager **window = ARENA_ARRAY(a, const struct diff_manager *, m->n);
	size_t n_owners = 0, n_window = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct diff_manager *x = &m->p[i];

		if (str_eq(x->name, ours) && str_eq(x->operation, STR("Apply")))
			continue;
		if (holds(a, x->fields, c))
			owners[n_owners++] = x;
		/* Times are whole seconds: the second of `since` itself may hold the write. */
		if (x->time / SECOND >= since / SECOND && !str_eq(x->subresource, STR("status")))
			window[n_window++] = x;
	}
	if (n_owners) {
		qsort(owners, n_owners, sizeof(*owners), newest_first);
		return (struct diff_writer){DIFF_OWNER, owners, 1};
	}
	if (!n_window)
		return (struct diff_writer){DIFF_NOBODY, NULL, 0};
	qsort(window, n_window, sizeof(*window), newest_first);
	return (struct diff_writer){DIFF_WINDOW, window, n_window};
}

str diff_writer_text(struct arena *a, const struct diff_writer *w)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	if (!w->n)
		return STR("nobody that managedFields names");
	if (w->sure == DIFF_WINDOW)
		buf_str(&b, STR("removed; writers since: "));
	for (size_t i = 0; i < w->n; i++) {
		const struct diff_manager *m = w->p[i];

		if (i)
			buf_str(&b, STR("; "));
		buf_printf(&b, STR_FMT " (" STR_FMT, STR_ARG(m->name), STR_ARG(m->operation));
		if (m->subresource.n)
			buf_printf(&b, " of " STR_FMT, STR_ARG(m->subresource));
		buf_char(&b, ')');
		if (m->time)
			buf_printf(&b, ", last active " STR_FMT,
				   STR_ARG(time_rfc3339(a, m->time, false)));
	}
	return arena_str(a, buf_view(&b));
}
