/* Which file an object lives in, and where the state folder lies. */
#include "dir_priv.h"

static const str parts[] = {STR("kind"), STR("group"), STR("namespace"), STR("name"), STR("app")};

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static str part_of(str word, str app, obj_id id)
{
	const str value[] = {id.kind, id.group, id.ns, id.name, app};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (str_eq(word, parts[i]))
			return value[i];
	return STR_NONE;
}

/* May the dash or dot stand where it is? No label begins or ends with a dash, and none is empty. */
static bool stands_well(str s, size_t i)
{
	size_t before = i, after = i;

	do {
		if (!before--)
			return false;
	} while (s.p[i] == '-' && s.p[before] == '-');
	do {
		if (++after == s.n)
			return false;
	} while (s.p[i] == '-' && s.p[after] == '-');
	return is_plain(s.p[before]) && is_plain(s.p[after]);
}

/* One part as it may stand in a name; *folded: it is not spelt as it was. A kind in lower case is
 * as good as the kind: two kinds of one group differ in more than that. */
static void add_part(struct buf *b, str s, bool lower, bool *folded)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (lower && c >= 'A' && c <= 'Z') {
			buf_char(b, (char)(c - 'A' + 'a'));
		} else if (is_plain(c) || ((c == '.' || c == '-') && stands_well(s, i))) {
			buf_char(b, c);
		} else {
			/* No dash where a label begins: RFC 1123. */
			if (b->n && is_plain(b->p[b->n - 1]))
				buf_char(b, '-');
			buf_char(b, 'x');
			buf_hex(b, &c, 1);
			*folded = true;
		}
	}
}

/* The pattern with its parts filled in; a literal behind an empty part goes with it, and at the end
 * the one before. raw: every part as it was, for the hash. */
static void expand(str pattern, str app, obj_id id, struct buf *b, struct buf *raw, bool *folded)
{
	str pending = STR_NONE;
	bool dropped = false;

	for (;;) {
		size_t open = str_chr(pattern, '{');
		str literal = str_sub(pattern, 0, open);

		if (!dropped)
			pending = literal;
		if (open == SIZE_MAX) {
			buf_str(b, pending);
			return;
		}

		size_t close = str_chr(pattern, '}');
		str word = str_sub(pattern, open + 1, close - open - 1);
		str value = part_of(word, app, id);

		buf_str(raw, value);
		buf_char(raw, '\0');
		dropped = !value.n;
		if (value.n) {
			buf_str(b, pending);
			add_part(b, value, str_eq(word, STR("kind")), folded);
		}
		pattern = str_sub(pattern, close + 1, SIZE_MAX);
		/* An empty part at the very end takes the literal before it along. */
		if (dropped && !str_contains(pattern, STR("{"))) {
			buf_str(b, pattern);
			return;
		}
	}
}

static str ending_of(str pattern)
{
	size_t dot = str_rchr(pattern, '.');

	return dot == SIZE_MAX ? STR_NONE : str_sub(pattern, dot, SIZE_MAX);
}

static bool is_subdomain(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool edge = !i || i + 1 == s.n || s.p[i - 1] == '.' || s.p[i + 1] == '.';

		if (!is_plain(s.p[i]) && (edge || (s.p[i] != '-' && s.p[i] != '.')))
			return false;
	}
	return s.n > 0;
}

str dir_name(struct arena *a, const struct app_target *where, str app, obj_id id)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf raw = BUF_INIT;
	str ending = ending_of(where->file_name);
	str stem = str_sub(where->file_name, 0, where->file_name.n - ending.n);
	bool folded = false;

	expand(stem, app, id, &b, &raw, &folded);
	if (!b.n) {
		buf_str(&b, STR("x"));
		folded = true;
	}
	if (folded || b.n + ending.n > DIR_MAX_NAME || !is_subdomain(buf_view(&b))) {
		struct hash h = hash_blake2b(NULL, STR("leeboard/file/1"), buf_view(&raw));
		size_t most = DIR_MAX_NAME - ending.n - 17;

		if (b.n > most)
			b.n = most;
		while (b.n && !is_plain(b.p[b.n - 1]))
			b.n--;
		buf_char(&b, '-');
		buf_hex(&b, h.b, 8);
	}
	buf_str(&b, ending);
	return arena_str(a, buf_view(&b));
}

str dir_state_name(struct arena *a, obj_id id)
{
	const struct app_target by_object = {.file_name =
						     STR("{kind}.{group}.{namespace}.{name}.yaml")};

	return dir_name(a, &by_object, STR_NONE, id);
}

struct err *dir_pattern_check(const struct app_target *where)
{
	static const obj_id all = {STR("g"), STR("k"), STR("s"), STR("n")};
	CLEANUP(buf) struct buf b = BUF_INIT;
	CLEANUP(buf) struct buf raw = BUF_INIT;
	str ending = ending_of(where->file_name), rest = where->file_name;
	bool folded = false;

	if (!str_eq(ending, STR(".yaml")) && !str_eq(ending, STR(".yml")) &&
	    !str_eq(ending, STR(".json")))
		return err_at(ERR_INVALID, where->at,
			      "'target.fileName' must end in '.yaml', '.yml' or '.json'");
	if (str_eq(ending, STR(".json")) && where->layout == LAYOUT_APP)
		return err_at(
			ERR_INVALID, where->at,
			"'target.fileName' ends in '.json', and a JSON file holds one object: "
			"write '.yaml' with layout 'app'");
	for (size_t open; (open = str_chr(rest, '{')) != SIZE_MAX;) {
		size_t close = str_chr(rest, '}');
		bool known = false;

		if (close == SIZE_MAX || close < open)
			return err_at(ERR_INVALID, where->at,
				      "'target.fileName': '{' and '}' do not pair");

		str word = str_sub(rest, open + 1, close - open - 1);

		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			known |= str_eq(word, parts[i]);
		if (!known)
			return err_at(ERR_INVALID, where->at,
				      "'target.fileName' has no part '{" STR_FMT
				      "}' (there are: {kind}, {group}, {namespace}, {name}, {app})",
				      STR_ARG(word));
		rest = str_sub(rest, close + 1, SIZE_MAX);
	}
	expand(str_sub(where->file_name, 0, where->file_name.n - ending.n), STR("a"), all, &b, &raw,
	       &folded);
	if (!is_subdomain(buf_view(&b)))
		return err_at(ERR_INVALID, where->at,
			      "'target.fileName' may have lower case letters, digits, '-' and '.' "
			      "between its parts, and no label may begin or end with '-'");
	return NULL;
}

/* ------------------------------------------------------------------ the state folder */

static str without_slashes(str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

str target_dir_key(struct arena *a, const struct app_target *where)
{
	return arena_printf(a, STR_FMT "\n" STR_FMT "\n%d\n" STR_FMT,
			    STR_ARG(without_slashes(where->directory)),
			    STR_ARG(without_slashes(where->state)), where->layout,
			    STR_ARG(where->file_name));
}

/* Folders that a program reads for manifests: nothing of ours belongs into them. */
static const str read_by_others[] = {
	STR("/var/lib/rancher/"), STR("/etc/kubernetes/"), STR("/etc/kubelet"),
	STR("/var/lib/kubelet/"), STR("/var/lib/k0s/"),    STR("/var/snap/microk8s/"),
	STR("/etc/containers/"),
};

str dir_state_path(struct arena *a, const struct app_target *where, str state_directory,
		   bool *inside, bool *given)
{
	str path = without_slashes(where->directory);
	bool others = str_ends(path, STR("/server/manifests"));

	*inside = false;
	*given = where->state.n > 0;
	if (*given)
		return arena_str(a, without_slashes(where->state));
	for (size_t i = 0; i < ARRAY_LEN(read_by_others); i++)
		others |= str_starts(path, read_by_others[i]);
	if (others && state_directory.n) {
		struct hash h = hash_blake2b(NULL, STR("leeboard/directory/1"), path);
		CLEANUP(buf) struct buf hex = BUF_INIT;

		buf_hex(&hex, h.b, 8);
		return arena_printf(a, STR_FMT "/targets/%s",
				    STR_ARG(without_slashes(state_directory)), hex.p);
	}
	*inside = true;
	return arena_printf(a, STR_FMT "/.leeboard", STR_ARG(path));
}

str dir_app_folder(struct arena *a, str app)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	for (size_t i = 0; i < app.n; i++)
		buf_add(&b, app.p[i] == '/' ? "." : &app.p[i], 1);
	return arena_str(a, buf_view(&b));
}
