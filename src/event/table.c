/* The rows of event.h as data. */
#include "leeboard/event.h"

static const struct {
	const char *name;
	enum event_severity severity;
	enum event_role role;
	enum event_kind of;
	const char *words, *meaning;
} rows[EVENT_KINDS] = {
#define X(id, name, severity, role, of, words, meaning)                                            \
	[EVENT_##id] = {name, EVENT_##severity, EVENT_##role, EVENT_##of, words, meaning},
	EVENTS(X)
#undef X
};

static const char *const severities[] = {
	[EVENT_INFO] = "info", [EVENT_WARN] = "warn", [EVENT_ERROR] = "error"};
static const char *const roles[] = {[EVENT_NOTE] = "", [EVENT_RAISE] = "raises"};

const char *event_severity_name(enum event_severity s)
{
	return severities[s];
}

bool event_severity_from_name(str name, enum event_severity *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
		if (str_eq(name, str_from(severities[i]))) {
			*ret = (enum event_severity)i;
			return true;
		}
	}
	return false;
}

const char *event_name(enum event_kind k)
{
	return rows[k].name;
}

const char *event_words(enum event_kind k)
{
	return rows[k].words;
}

const char *event_meaning(enum event_kind k)
{
	return rows[k].meaning;
}

enum event_severity event_severity_of(enum event_kind k)
{
	return rows[k].severity;
}

enum event_role event_role_of(enum event_kind k)
{
	return rows[k].role;
}

bool event_resolves(enum event_kind resolve, enum event_kind raise)
{
	if (rows[resolve].role != EVENT_RESOLVE)
		return false;
	if (resolve == EVENT_SOURCE_RECOVERED && raise == EVENT_SOURCE_STALE)
		return true;
	if (resolve == EVENT_APP_SETTLED && raise == EVENT_APP_ORPHANED)
		return true;
	return rows[resolve].of == raise;
}

bool event_kind_from_name(str name, enum event_kind *ret)
{
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (str_eq(name, str_from(rows[i].name))) {
			*ret = (enum event_kind)i;
			return true;
		}
	}
	return false;
}

void event_reference(struct buf *b)
{
	buf_str(b, STR("| event | severity | | means |\n| --- | --- | --- | --- |\n"));
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		buf_printf(b, "| `%s` | %s | ", rows[i].name, severities[rows[i].severity]);
		if (rows[i].role == EVENT_RESOLVE)
			buf_printf(b, "resolves `%s`", rows[rows[i].of].name);
		else
			buf_str(b, str_from(roles[rows[i].role]));
		buf_printf(b, " | %s |\n", rows[i].meaning);
	}
}
