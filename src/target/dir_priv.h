/* The directory target: files of one App or one object each, held against what Git says.
 *
 *   dir.c         open, close, the queue of calls, the table
 *   dir_name.c    which file an object lives in; where the state folder lies
 *   dir_file.c    reading a file without being led astray; its documents; the merge
 *   dir_commit.c  batches of writes: in the pool, in an order that a crash cannot hurt
 *   dir_state.c   lock, uid, key, records, inventories
 *   dir_watch.c   inotify
 *
 * State folder (0700; names that no reader of manifests takes for one of its own):
 *   .lock         instance, holder, pid; locked while a daemon has the folder
 *   .uid .key     who this place is; the key of the hashes of Secret values in last-applied
 *   <app>/record  <app>/inventory.tsv  <app>/last/<file>.last  <app>/last/<file>.next
 * where <file> is the name of the object's own file in layout object, whatever the layout is.
 *
 * Last-applied and the object's file are two files, and a crash may come between their writes. The merge
 * deletes what was ours (it is in last-applied) and is no longer wanted, so last-applied must name every
 * field of ours that may stand in the file, in both states that a crash can leave:
 *
 *   1  .next := what we are about to apply; durable
 *   2  the object's file := the merge; durable
 *   3  .next renamed over .last
 *
 * Die before 1: nothing happened. Between 1 and 2, or 2 and 3: the file is the old or the new one, and
 * there is a .next; the next apply takes the union of .last and .next for last-applied, which holds the
 * fields of both (a field that is only in one of them and not in the file is deleted from where it is
 * not: nothing). It makes that union .last, durable, before it writes another .next. Were .last written
 * first, a field that left Git would stay in the file for ever after a crash between the two; were it
 * written afterwards without .next, one that came and left again would. A deletion removes the file
 * first and last-applied then: what is left over names no object and goes with the App's next one. */
#pragma once
#include "target_priv.h"
#include <sys/stat.h>

#define DIR_MAX_FILE (16u << 20) /* bytes of one file of manifests */
#define DIR_MAX_STATE (64u << 20) /* bytes of one file of the state folder */
#define DIR_MAX_NAME 200u        /* bytes of a file name */
#define DIR_BATCH 128u           /* writes that are committed together */
#define DIR_FEW 16u              /* up to so many files are synced one by one */
#define DIR_SLICE 32u            /* files read in one turn of the loop */
#define DIR_TRIES 5u             /* a file that changes under our hands */
#define DIR_QUIET ((msec)50)     /* after the last event of a file: editors write in steps */
#define DIR_QUIET_MOST ((msec)500)
#define DIR_LOOK_AGAIN SECOND    /* for a folder that went */

/* What is kept of one App. */
struct dir_app {
	char *name;
	struct arena *arena; /* of inv */
	struct inventory inv;
	char *record;        /* its text; NULL: none */
	char *seen_holder;   /* of the record as we last saw it; NULL: there was none */
	struct err *bad;     /* its state cannot be read */
};

/* A file that holds objects of an inventory. */
struct dir_owned {
	obj_id id;
	struct dir_app *app;
};
struct dir_file {
	str name;
	struct dir_owned *p;
	size_t n, cap;
	bool known, there; /* hash: of its bytes as we last saw or wrote them */
	struct hash hash;
	msec dirty_first, dirty_last; /* last 0: no event waits */
};
struct dir_files {
	struct arena *arena;
	struct dir_file *p;
	size_t n, cap;
	uint32_t *index;
	size_t index_cap;
};

struct dir_kind {
	char *group, *kind;
};
/* Something to look at, between two batches. */
struct dir_check {
	struct dir_check *next;
	bool begins, ends; /* no file: tell LISTING, LISTED of the kind */
	bool always;      /* tell, though nothing changed */
	char *group, *kind;
	char name[];
};

enum dir_op {
	DIR_READY,
	DIR_NOTHING, /* discover */
	DIR_RECORDS,
	DIR_GET,
	DIR_PREVIEW,
	/* from here on: writes */
	DIR_APPLY,
	DIR_REMOVE,
	DIR_INVENTORY,
	DIR_RECORD,
	DIR_DROP
};
struct dir_call {
	struct target_call head;
	struct dir_call *prev, *next;
	enum dir_op op;
	struct arena *arena; /* copies of the arguments, and the answer */
	union {
		target_done done;
		target_records_done records;
		target_get_done get;
		target_apply_done apply;
	};
	void *arg;
	bool in_batch, cancelled; /* in a batch: no callback, and freed with it */
	str app;
	struct target_want_live *ids;
	struct target_live *answers;
	size_t n, at;
	struct err *errors;
	struct target_apply what;
	obj_id id;
	struct inventory *inv;
	struct target_record record, *told;
	unsigned tries;
	/* the answer */
	struct err *err;
	enum target_outcome outcome;
	struct target_live live;
	char *text; /* DIR_RECORD: as written */
	struct arena *kept; /* of inv; becomes the App's */
	struct dir_work *work;
};

/* One file of manifests while a batch or a question is being answered. */
enum dir_found {
	DIR_ABSENT,
	DIR_READ,
	DIR_ODD, /* no regular file, or one that cannot be read: why */
};
struct dir_bytes {
	enum dir_found found;
	bool folder;     /* ODD: nothing can be renamed over it */
	bool unreadable; /* ODD: it may well be ours, but it cannot be read now */
	str bytes, why;
	struct stat st;
};
struct dir_work {
	struct dir_work *next;
	str name;
	struct dir_bytes was;
	struct text text;
	struct node_docs docs;
	struct {
		obj_id *p;
		size_t n, cap;
	} ids; /* of docs; kind empty: it is no object */
	str broken; /* not empty: its bytes are no YAML, and this is why */
	bool changed, had_secret;
	bool raced;
	struct err *err;
	struct hash hash; /* of what was written */
	bool there;
	struct dir *dir;
};

enum dir_stage { DIR_JOURNAL, DIR_CONTENT, DIR_AFTER };
struct dir_put {
	enum dir_stage stage;
	bool state;       /* below the state folder; else below the folder */
	str name, from;   /* from: renamed to name (AFTER) */
	bool drop;        /* removed */
	str bytes;
	mode_t mode;
	str tmp;
	bool skip;
	struct dir_work *work; /* NULL: none */
	struct dir_call *call; /* whose error it is, when work is NULL */
};
struct dir_other {
	str app, bytes;
};
struct dir_batch {
	struct dir *dir;
	struct arena *arena;
	struct dir_call *calls, **end;
	struct dir_work *works;
	struct {
		struct dir_other *p;
		size_t n, cap;
	} others;
	bool others_known;
	struct dir_put *p;
	size_t n, cap;
};

struct dir {
	struct target head;
	struct app_target where; /* strings are our own */
	struct arena *arena;     /* of where and of what follows */
	str instance, holder, state_directory;
	str path, state; /* absolute */
	bool state_inside, state_given;
	int fd, state_fd, lock_fd; /* -1: not open */
	bool ready, lost;
	str why; /* of lost */
	dev_t dev; /* of the folder as it was last opened */
	uint8_t key[32];
	struct dir_app **apps;
	size_t apps_n;
	struct dir_files files;

	struct dir_call *first, *last;
	struct timer *pump;
	struct dir_batch *busy; /* in the pool */
	unsigned running;       /* callbacks of ours on the stack */
	bool closing, freed_later;

	int inotify;
	struct watch_fd *inotify_io;
	int wd, parent_wd;
	struct dir_kind *kinds;
	size_t kinds_n;
	struct timer *quiet, *look;
	struct dir_check *checks, **checks_end;

	/* Tests: called before each step of a commit, in the pool. */
	void (*step)(void *arg, const char *what);
	void *step_arg;
};

/* dir_name.c */
struct err *dir_pattern_check(const struct app_target *where) MUST_CHECK;
str dir_name(struct arena *a, const struct app_target *where, str app, obj_id id);
str dir_state_name(struct arena *a, obj_id id); /* of last-applied, without its ending */
str dir_state_path(struct arena *a, const struct app_target *where, str state_directory, bool *inside,
		   bool *given);
str dir_app_folder(struct arena *a, str app);

/* dir_file.c */
void dir_read(struct arena *a, int fd, str name, size_t limit, struct dir_bytes *ret);
/* Reads and parses; never fails: what is wrong stands in the work. */
void dir_work_read(struct arena *a, struct dir *d, str name, struct dir_work *ret);
/* Index of the object among the documents; SIZE_MAX: not there. */
size_t dir_work_find(const struct dir_work *w, obj_id id);
void dir_work_add(struct arena *a, struct dir_work *w, obj_id id, const struct node *doc);
void dir_work_remove(struct dir_work *w, size_t at);
void dir_work_print(const struct dir *d, const struct dir_work *w, struct buf *b);
bool dir_work_secret(const struct dir_work *w);
/* What we applied last, Secret values as hashes; NULL: nothing. left_over: there was a .next. */
const struct node *dir_last_read(struct arena *a, struct dir *d, str app, obj_id id, bool *left_over);
/* Hashes that live's values have become those values. placeholder: the others become "". */
const struct node *dir_last_reveal(struct arena *a, const struct dir *d, obj_id id,
				   const struct node *last, const struct node *live, bool placeholder);
str dir_last_path(struct arena *a, str app, obj_id id, const char *ending);
/* The merge. `ours`: last may be NULL and yet the object is ours to write over. */
struct err *dir_merge(struct arena *a, const struct dir *d, obj_id id, const struct node *last,
		      const struct node *desired, const struct node *live, bool ours,
		      const struct node **ret) MUST_CHECK;

/* dir_commit.c */
struct dir_put *dir_put_add(struct dir_batch *b, enum dir_stage stage, bool state, str name);
void dir_commit(struct dir_batch *b); /* in the pool */

/* dir_state.c */
struct err *dir_open_folders(struct dir *d) MUST_CHECK; /* again is fine */
void dir_close_folders(struct dir *d);
void dir_clear(int fd, str folder);      /* every file in it */
/* Why the paths do not lead to the folders that we have open; empty: they do. */
str dir_missing(const struct dir *d);
struct dir_app *dir_app_of(struct dir *d, str name); /* NULL: nothing is known of it */
struct dir_app *dir_app_make(struct dir *d, str name);
void dir_app_drop(struct dir *d, struct dir_app *a);
void dir_apps_free(struct dir *d);
void dir_files_build(struct dir *d); /* after an inventory changed */
struct dir_file *dir_file_of(const struct dir *d, str name); /* NULL: holds nothing of ours */
struct err *dir_record_read(struct arena *a, const struct text *in, struct target_record *ret) MUST_CHECK;
void dir_record_print(const struct target_record *r, struct buf *b);
/* Another App of this target whose inventory has the id; NULL: none. */
struct dir_app *dir_other_owner(const struct dir *d, str app, obj_id id);

/* dir_watch.c */
struct err *dir_watch_start(struct dir *d) MUST_CHECK; /* again is nothing */
void dir_watch_stop(struct dir *d);
void dir_list(struct dir *d, str group, str kind); /* tells what is there of the kind, then LISTED */
void dir_list_all(struct dir *d);
bool dir_checks(struct dir *d);                    /* a slice of what is to be looked at; more left? */
void dir_checks_drop(struct dir *d);
void dir_lose(struct dir *d, str why);
void dir_found(struct dir *d);

/* dir.c */
void dir_pump_soon(struct dir *d);
