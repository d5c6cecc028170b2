/* Just enough of an http url to say whether two lead to the same server. */
#include "remote_priv.h"

static bool is_host(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    str_chr(STR("-._:"), c) == SIZE_MAX)
			return false;
	}
	return s.n > 0 && s.p[0] != '-';
}

bool remote_url_parse(str url, struct remote_url *ret)
{
	struct remote_url u;
	size_t slash, colon;
	str authority;
	bool tls = str_starts(url, STR("https://"));

	if (!tls && !str_starts(url, STR("http://")))
		return false;
	for (size_t i = 0; i < url.n; i++) {
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f || url.p[i] == '?' ||
		    url.p[i] == '#' || url.p[i] == '\\')
			return false;
	}
	u.scheme = tls ? STR("https") : STR("http");
	authority = str_sub(url, u.scheme.n + 3, SIZE_MAX);
	slash = str_chr(authority, '/');
	u.path = slash == SIZE_MAX ? STR_NONE : str_sub(authority, slash, SIZE_MAX);
	authority = str_sub(authority, 0, slash);
	u.host = authority;
	u.port = tls ? STR("443") : STR("80");
	if (str_starts(authority, STR("["))) { /* an IPv6 address */
		size_t end = str_chr(authority, ']');

		if (end == SIZE_MAX)
			return false;
		u.host = str_sub(authority, 1, end - 1);
		authority = str_sub(authority, end + 1, SIZE_MAX);
		colon = authority.n ? 0 : SIZE_MAX;
	} else {
		colon = str_rchr(authority, ':');
		u.host = str_sub(authority, 0, colon);
	}
	if (colon != SIZE_MAX) {
		uint64_t port;

		if (authority.p[colon] != ':')
			return false;
		u.port = str_sub(authority, colon + 1, SIZE_MAX);
		if (!str_to_u64(u.port, &port) || !port || port > 65535)
			return false;
	}
	if (!is_host(u.host))
		return false;
	*ret = u;
	return true;
}
