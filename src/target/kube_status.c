/* What an API server's answers mean: a code for machines, a sentence for people. */
#include "kube_priv.h"

/* ------------------------------------------------------------------ reading a Status */

struct err *kube_json(struct arena *a, str what, str body, const struct node **ret)
{
	struct text *in = ARENA_NEW(a, struct text);

	*in = (struct text){what, body};
	return node_read_json(a, in, ret);
}

void kube_status_read(struct arena *a, str body, struct kube_status *ret)
{
	const struct node *root = NULL, *details, *causes;
	int64_t n;

	*ret = (struct kube_status){0};
	struct err *e = kube_json(a, STR("the answer"), body, &root);

	if (e || !str_eq(node_get_text(root, STR("kind")), STR("Status"))) {
		err_free(e);
		ret->message = str_trim(str_sub(body, 0, KUBE_MESSAGE_MOST));
		return;
	}
	ret->message = node_get_text(root, STR("message"));
	ret->reason = node_get_text(root, STR("reason"));
	ret->more = node_get_text(node_get(root, STR("metadata")), STR("continue"));
	details = node_get(root, STR("details"));
	ret->kind = node_get_text(details, STR("kind"));
	ret->name = node_get_text(details, STR("name"));
	if (node_i64(node_get(details, STR("retryAfterSeconds")), &n))
		ret->retry_after = n;
	causes = node_get(details, STR("causes"));
	if (!node_is(causes, NODE_LIST))
		return;
	ret->causes = ARENA_ARRAY(a, struct kube_cause, causes->n);
	for (uint32_t i = 0; i < causes->n; i++)
		ret->causes[ret->causes_n++] = (struct kube_cause){
			node_get_text(causes->items[i], STR("reason")),
			node_get_text(causes->items[i], STR("field")),
			node_get_text(causes->items[i], STR("message")),
		};
}

void kube_sentence(struct buf *b, str message)
{
	size_t n = message.n;

	if (n > KUBE_MESSAGE_MOST) {
		n = KUBE_MESSAGE_MOST;
		while (n && ((unsigned char)message.p[n] & 0xc0) == 0x80)
			n--;
	}
	buf_escaped(b, str_trim(str_sub(message, 0, n)));
	if (n < message.n)
		buf_str(b, STR(" ..."));
}

bool kube_no_such_resource(unsigned status, str body)
{
	return status == 404 && (str_contains(body, STR("could not find the requested resource")) ||
				 str_starts(body, STR("404 page not found")));
}

bool kube_other_uid(unsigned status, str body)
{
	return status == 409 && (str_contains(body, STR("UID in precondition")) ||
				 str_contains(body, STR("UID in the precondition")) ||
				 str_contains(body, STR("uid mismatch")));
}

bool kube_is_final(unsigned status, str body)
{
	return status == 500 && (str_contains(body, STR("failed to create typed ")) ||
				 str_contains(body, STR("field not declared in schema")) ||
				 str_contains(body, STR("failed to convert ")) ||
				 str_contains(body, STR("error calculating patch")));
}

/* ------------------------------------------------------------------ sentences */

struct saying {
	const struct kube_what *w;
	const struct kube_status *s;
	unsigned status;
	struct buf *object, *says;
};

/* "deployments.apps 'web' in namespace 'shop'" */
static void object_to(const struct kube_what *w, struct buf *b)
{
	buf_str(b, w->resource);
	if (w->group.n)
		buf_printf(b, "." STR_FMT, STR_ARG(w->group));
	if (w->name.n)
		buf_printf(b, " '" STR_FMT "'", STR_ARG(w->name));
	if (w->ns.n)
		buf_printf(b, " in namespace '" STR_FMT "'", STR_ARG(w->ns));
}

/* A Secret's mistakes are told by their field alone: the sentences quote values. */
static void says_to(const struct kube_what *w, str message, struct buf *b)
{
	static const str cuts[] = {STR(", got "), STR("Invalid value: "), STR("value: ")};

	for (size_t i = 0; w->secret && i < ARRAY_LEN(cuts); i++) {
		size_t at = str_find(message, cuts[i]);

		if (at != SIZE_MAX)
			message = str_sub(message, 0, at);
	}
	kube_sentence(b, message);
}

static struct err *conflict(const struct saying *y)
{
	CLEANUP(buf) struct buf fields = BUF_INIT;
	CLEANUP(buf) struct buf managers = BUF_INIT;
	size_t told = 0;
	str last = STR_NONE;

	for (size_t i = 0; i < y->s->causes_n; i++) {
		const struct kube_cause *c = &y->s->causes[i];

		if (!str_eq(c->reason, STR("FieldManagerConflict")))
			continue;
		if (!str_eq(c->message, last)) {
			/* conflict with "NAME" [with subresource "x"] using apps/v1 [at TIME] */
			buf_str(&managers, managers.n ? STR(", ") : STR(""));
			str who = str_starts(c->message, STR("conflict with "))
					  ? str_sub(c->message, 14, SIZE_MAX)
					  : c->message;

			kube_sentence(&managers, who);
			last = c->message;
		}
		if (told++ < 5) {
			buf_str(&fields, fields.n ? STR(", ") : STR(""));
			kube_sentence(&fields, c->field);
		}
	}
	if (!told)
		return NULL;
	if (told > 5)
		buf_printf(&fields, " and %zu more", told - 5);
	return err_new(ERR_CONFLICT, "%s of %s: held by %s", fields.p, y->object->p, managers.p);
}

static struct err *replaced(const struct saying *y)
{
	return err_new(ERR_CONFLICT,
		       str_contains(y->s->message, STR("no existing object"))
			       ? "%s was deleted meanwhile"
			       : "%s is another object now: it was deleted and made anew",
		       y->object->p);
}

static struct err *code_409(const struct saying *y)
{
	struct err *e = conflict(y);

	if (e)
		return e;
	if (kube_other_uid(409, y->s->message))
		return replaced(y);
	if (str_eq(y->s->reason, STR("AlreadyExists")))
		return err_new(ERR_CONFLICT, "%s is there already", y->object->p);
	return err_new(ERR_CONFLICT, "cannot %s %s: %s", y->w->verb, y->object->p, y->says->p);
}

/* User "x" cannot VERB resource ...: who it is. */
static str forbidden_user(str message)
{
	size_t at = str_find(message, STR("User \""));
	str rest;

	if (at == SIZE_MAX || str_find(message, STR(" cannot ")) == SIZE_MAX)
		return STR_NONE;
	rest = str_sub(message, at + 6, SIZE_MAX);
	return str_sub(rest, 0, str_chr(rest, '"'));
}

static bool is_admission(const struct saying *y)
{
	return str_contains(y->s->message, STR("admission webhook ")) ||
	       str_contains(y->s->message, STR("ValidatingAdmissionPolicy ")) ||
	       str_contains(y->s->message, STR("denied the request")) ||
	       str_contains(y->s->message, STR("violates PodSecurity"));
}

static struct err *denied(const struct saying *y)
{
	return err_new(ERR_DENIED, "%s was denied: %s", y->object->p, y->says->p);
}

static struct err *code_403(const struct saying *y)
{
	str who = forbidden_user(y->s->message);
	CLEANUP(buf) struct buf user = BUF_INIT;

	for (size_t i = 0; i < y->s->causes_n; i++)
		if (str_eq(y->s->causes[i].reason, STR("NamespaceTerminating")))
			return err_new(ERR_NOT_FOUND,
				       "namespace '" STR_FMT "' is being deleted: cannot %s %s",
				       STR_ARG(y->w->ns), y->w->verb, y->object->p);
	if (str_contains(y->s->message, STR("exceeded quota")))
		return err_new(ERR_QUOTA, "cannot %s %s: %s", y->w->verb, y->object->p, y->says->p);
	if (is_admission(y) || !who.n)
		return denied(y);
	kube_sentence(&user, who);
	return err_hint(
		err_new(ERR_FORBIDDEN, "user '%s' may not %s %s", user.p, y->w->verb, y->object->p),
		"the server says: %s", y->says->p);
}

static struct err *code_404(const struct saying *y)
{
	if (str_eq(y->s->kind, STR("namespaces")) && y->w->ns.n)
		return err_new(ERR_NOT_FOUND, "namespace '" STR_FMT "' is not there: cannot %s %s",
			       STR_ARG(y->w->ns), y->w->verb, y->object->p);
	if (y->s->name.n)
		return err_new(ERR_NOT_FOUND, "%s is not there", y->object->p);
	return err_new(ERR_NOT_FOUND, "the server serves no " STR_FMT "%s" STR_FMT ": cannot %s %s",
		       STR_ARG(y->w->resource), y->w->group.n ? "." : "", STR_ARG(y->w->group),
		       y->w->verb, y->object->p);
}

static bool says_immutable(str message)
{
	static const str words[] = {
		STR("field is immutable"),          STR("may not change fields other than"),
		STR("updates to statefulset spec"), STR("is immutable after creation"),
		STR("may not be changed"),          STR("cannot change roleRef"),
		STR("may not be modified"),
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_contains(message, words[i]))
			return true;
	return false;
}

static struct err *code_422(const struct saying *y)
{
	CLEANUP(buf) struct buf fields = BUF_INIT;
	bool immutable = false;

	if (is_admission(y))
		return denied(y);
	for (size_t i = 0; i < y->s->causes_n; i++) {
		if (!says_immutable(y->s->causes[i].message))
			continue;
		if (str_eq(y->s->causes[i].field, STR("metadata.uid")))
			return replaced(y);
		immutable = true;
		buf_str(&fields, fields.n ? STR(", ") : STR(""));
		kube_sentence(&fields, y->s->causes[i].field);
	}
	if (immutable)
		return err_hint(err_new(ERR_IMMUTABLE, "%s of %s cannot be changed", fields.p,
					y->object->p),
				"the server says: %s", y->says->p);
	return err_new(ERR_INVALID_OBJECT, "%s is invalid: %s", y->object->p, y->says->p);
}

static struct err *code_5xx(const struct saying *y)
{
	if (kube_is_final(y->status, y->s->message))
		return err_new(ERR_INVALID_OBJECT, "%s is invalid: %s", y->object->p, y->says->p);
	if (str_contains(y->s->message, STR("failed calling webhook")))
		return err_new(ERR_DENIED, "cannot %s %s: a webhook does not answer: %s",
			       y->w->verb, y->object->p, y->says->p);
	if (str_contains(y->s->message, STR("request is too large")))
		return err_new(ERR_INVALID_OBJECT, "%s is too large for the server's storage",
			       y->object->p);
	return err_new(ERR_TARGET_UNREACHABLE, "cannot %s %s: the server answers %u: %s",
		       y->w->verb, y->object->p, y->status, y->says->p);
}

struct err *kube_error(const struct kube_what *w, unsigned status, str body)
{
	CLEANUP(arena) struct arena *a = arena_new();
	CLEANUP(buf) struct buf object = BUF_INIT;
	CLEANUP(buf) struct buf says = BUF_INIT;
	struct kube_status s;
	struct saying y = {w, &s, status, &object, &says};

	kube_status_read(a, body, &s);
	object_to(w, &object);
	says_to(w, s.message.n ? s.message : STR("no reason given"), &says);
	if (!says.n)
		buf_str(&says, STR("no reason given"));
	switch (status) {
	case 401:
		return err_new(ERR_FORBIDDEN,
			       "the server does not take our credential (401): cannot %s %s",
			       w->verb, object.p);
	case 403:
		return code_403(&y);
	case 404:
		return code_404(&y);
	case 409:
		return code_409(&y);
	case 413:
		return err_new(ERR_INVALID_OBJECT, "%s is too large for the server", object.p);
	case 415:
		return err_new(ERR_NOT_SUPPORTED,
			       "the server cannot apply %s: its API lacks server-side apply",
			       object.p);
	case 422:
		return code_422(&y);
	case 429:
		return err_new(ERR_TARGET_UNREACHABLE,
			       "cannot %s %s: the server has too many requests: %s", w->verb,
			       object.p, says.p);
	default:
		break;
	}
	if (status >= 500)
		return code_5xx(&y);
	if (is_admission(&y))
		return denied(&y);
	return err_new(ERR_INVALID_OBJECT, "cannot %s %s: %s", w->verb, object.p, says.p);
}
