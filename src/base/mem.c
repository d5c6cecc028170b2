/* Plain memory that ends the process when there is none, and the arena on top of it. */
#include "base_priv.h"
#include "leeboard/base.h"
#include <stdalign.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn void base_die(const char *what)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "leeboard: %s\n", what);

	/* Nothing is left to do when even this cannot be written. */
	if (len <= 0 || write(STDERR_FILENO, line, (size_t)len) < 0)
		_exit(2);
	_exit(2);
}

static _Noreturn void no_memory(size_t n)
{
	char what[64];

	snprintf(what, sizeof(what), "out of memory (%zu bytes)", n);
	base_die(what);
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		no_memory(n);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		no_memory(n);
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		no_memory(n);
	return p;
}

char *xstrndup(const char *p, size_t n)
{
	char *s = xmalloc(n + 1);

	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* ------------------------------------------------------------------ arena */

#define ARENA_ALIGN alignof(max_align_t)
#define ARENA_FIRST ((size_t)4096)
#define ARENA_MMAP ((size_t)64 * 1024)
#define ARENA_LARGEST ((size_t)1024 * 1024)

/* What follows it is aligned for any type, because its size is a multiple of that alignment. */
struct block {
	alignas(max_align_t) struct block *next;
	size_t size, used; /* both with this header */
};

struct arena {
	struct block *blocks; /* the first one is being filled */
	size_t next_size;
	size_t handed_out;
};

struct arena *arena_new(void)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->next_size = ARENA_FIRST;
	return a;
}

#ifdef LEEBOARD_SANITIZE

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b;

	if (n > SIZE_MAX - sizeof(*b))
		no_memory(n);
	b = xcalloc(1, sizeof(*b) + n);
	b->next = a->blocks;
	a->blocks = b;
	a->handed_out += n;
	return b + 1;
}

static void block_free(struct block *b)
{
	free(b);
}

#else

static struct block *block_new(size_t size)
{
	struct block *b;

	if (size >= ARENA_MMAP) {
		b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (b == MAP_FAILED)
			no_memory(size);
	} else {
		b = xcalloc(1, size);
	}
	b->size = size;
	b->used = sizeof(*b);
	return b;
}

static void block_free(struct block *b)
{
	if (b->size >= ARENA_MMAP)
		munmap(b, b->size);
	else
		free(b);
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->blocks;
	size_t need;
	void *p;

	if (n > SIZE_MAX / 2)
		no_memory(n);
	need = (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (!b || b->size - b->used < need) {
		/* A big piece gets a block of its own below the one being filled, so the rest of
		 * that one is not lost. */
		bool alone = need > a->next_size / 4;

		b = block_new(alone ? need + sizeof(*b) : a->next_size);
		if (alone && a->blocks) {
			b->next = a->blocks->next;
			a->blocks->next = b;
		} else {
			b->next = a->blocks;
			a->blocks = b;
		}
		if (!alone && a->next_size < ARENA_LARGEST)
			a->next_size *= 2;
	}
	p = (char *)b + b->used;
	b->used += need;
	a->handed_out += n;
	return p;
}

#endif

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		block_free(b);
	}
	free(a);
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		no_memory(SIZE_MAX);
	return arena_alloc(a, bytes);
}

str arena_str(struct arena *a, str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return str_n(p, s.n);
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return STR("");
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return str_n(p, (size_t)n);
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	str s;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

void *arena_grow(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 8;
	void *p;

	if (more < *cap)
		no_memory(SIZE_MAX);
	p = arena_alloc_array(a, more, size);
	if (n)
		memcpy(p, old, n * size);
	*cap = more;
	return p;
}

size_t arena_used(const struct arena *a)
{
	return a->handed_out;
}

void mem_trim(void)
{
	malloc_trim(0);
}
