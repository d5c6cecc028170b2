/* What the files of base share. */
#pragma once
#include <uv.h>

struct loop;

/* One line to stderr and exit status 2: no memory, no random numbers, no event loop. */
_Noreturn void base_die(const char *what);

/* A handle's `data` is what is freed when it is closed. */
uv_loop_t *loop_uv(struct loop *l);
void loop_close_handle(uv_handle_t *h);
/* Ends a child that nobody will hear of again, and waits for it, so that no zombie stays. */
void child_abandon(uv_handle_t *h);
