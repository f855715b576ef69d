/* Whose project an id is: the ledger, and the two files in /etc where every tree of the machine sees the
 * others' ids.
 *
 * All changes go through registry_run(), many at once, in one thread at a time and under the machine's lock,
 * in an order that survives a kill between any two steps: the id is chosen, /etc/projects shows it (from then
 * on no other tree takes it), the ledger has it; only then does the kernel hear of it. */
#pragma once

#include <pthread.h>

#include "quota-keeper/ledger.h"
#include "quota-keeper/place.h"
#include "quota-keeper/strays.h"

/* Where all trees of the machine find the lock. Only root can make a file in /run. */
#define REGISTRY_LOCK "/run/hostlet-quota-keeper.lock"

/* Sentences for the log, from threads, which do not write it themselves. */
struct notes {
    char **items;
    size_t n;
};
void notes_add(struct notes *notes, char *text); /* takes it */
void notes_clear(struct notes *notes);

struct registry {
    const struct kernel *kernel;
    const char *apps;
    const char *ledger_path;
    const char *etc;       /* where projects and projid lie */
    const char *lock_path; /* of the machine: held while ids are given out */
    uint64_t lock_wait;    /* how long another process may hold it, microseconds */
    int64_t threshold;     /* percent */
    /* Where nobody said how many inodes a replica may have: one for so many bytes of its limit, and so many
     * at least. 0: none. */
    int64_t bytes_per_inode, inodes_min;

    pthread_mutex_t mutex; /* of the ledger: held for moments, never during a system call that can wait */
    struct ledger ledger;
    uint32_t freed[STRAYS_FREED]; /* ids that nobody used when strangers' files were put back; of the mutex */
    size_t n_freed;
    uint64_t freed_usec; /* when, monotonic */
    bool unusable;       /* what was on disk: it is being made anew */
    struct id_set gone;  /* ids that left the ledger since the files in /etc were last written */
    bool has_quotas; /* some filesystem counts by project: only then the files in /etc have lines of ours */
};

enum op_kind {
    OP_ENSURE,
    OP_RELEASE, /* limits to 0; the id stays with the data */
    OP_REMOVE,
    OP_REFRESH, /* writes the ledger and the files as they are */
};
struct op {
    enum op_kind kind;
    const char *container;
    struct kernel_limits limits; /* of OP_ENSURE */
    /* What came out. */
    bool found;              /* it has, or had, an item */
    bool no_ids;             /* failed for want of one: strangers' files may hold some */
    struct ledger_item item; /* a copy: strings are the op's */
    int result;
    struct error e;
};
void op_clear(struct op *op);

void registry_init(struct registry *r, const struct kernel *kernel, int64_t id_min, int64_t id_max);
void registry_done(struct registry *r);

/* Reads the ledger. A file that is torn, empty or not root's alone to write is said in a note and set aside.
 * Refused: a newer format. */
int registry_load(struct registry *r, struct notes *notes, struct error *e);

/* Writes the ledger; and our lines in /etc/projects and /etc/projid. Of the thread that runs the registry. */
int registry_save(struct registry *r, struct error *e);
int registry_write_files(struct registry *r, struct error *e);

/* Takes an item out of the ledger; of the thread that runs the registry. */
void registry_drop(struct registry *r, struct ledger_item *item);

size_t registry_count(struct registry *r);
/* Ids that nobody used a moment ago, when strangers' files were put back: they are tried first by the next
 * registry_run(), and by none after it. */
void registry_add_freed(struct registry *r, const uint32_t *ids, size_t n);
bool registry_has_freed(struct registry *r);
/* The next of them, while there is one; and none of them any more. */
bool registry_take_freed(struct registry *r, int64_t *ret);
void registry_forget_freed(struct registry *r);

/* Looks at the filesystems that a piece of work has seen. */
void registry_see(struct registry *r, const struct places *places);

/* The container that an id is given to, or NULL; the caller frees. */
char *registry_owner_of(struct registry *r, int64_t id);

/* A copy of an item (strings are the caller's: registry_item_clear), or false. */
bool registry_get(struct registry *r, const char *container, struct ledger_item *ret);
/* Copies of all, in the order of their names. */
struct ledger_item *registry_items(struct registry *r, size_t *ret_n);
struct ledger_item registry_item_copy(const struct ledger_item *item);
void registry_item_clear(struct ledger_item *item);
void registry_items_free(struct ledger_item *items, size_t n);

/* Adds the ids that others have by name, in the two files. Those of our own directories are not among them.
 */
void registry_read_others(const struct registry *r, struct id_set *others);

/* What was last told of a container's level; returns whether it changed, and what it was. */
bool registry_note_level(struct registry *r, const char *container, int level, bool not_enforced,
                         int *ret_before);
