/* Stores which project id belongs to which container: the ledger, and the two files in /etc in which every
 * tree of the machine sees the ids of the other trees.
 *
 * All changes go through registry_run(), many at once, in one thread at a time and under the machine's
 * lock, in an order that survives a kill between any two steps: the id is chosen, /etc/projects shows it
 * (from then on no other tree uses it), the ledger contains it; the kernel is changed last. */
#pragma once

#include <pthread.h>

#include "quota-keeper/ledger.h"
#include "quota-keeper/place.h"
#include "quota-keeper/strays.h"

/* The lock of all trees of the machine. Only root can make a file in /run. */
#define REGISTRY_LOCK "/run/hostlet-quota-keeper.lock"

/* Sentences for the log, collected in threads, which do not write the log. */
struct notes {
    char **items;
    size_t n;
};
void notes_add(struct notes *notes, char *text); /* takes ownership of 'text' */
void notes_clear(struct notes *notes);

struct registry {
    const struct kernel *kernel;
    const char *apps;
    const char *ledger_path;
    const char *etc;       /* the directory of 'projects' and 'projid' */
    const char *lock_path; /* the machine's lock, held while ids are given out */
    uint64_t lock_wait;    /* how long to wait while another process holds it, microseconds */
    int64_t threshold;     /* percent */
    /* A replica with a limit of bytes and none of inodes gets a limit of inodes: the limit of bytes divided
     * by 'bytes_per_inode', but at least 'inodes_min' and at least the inodes in use. bytes_per_inode 0: it
     * gets none. */
    int64_t bytes_per_inode, inodes_min;

    /* Protects the ledger. It is held for moments, never during a system call that can wait. */
    pthread_mutex_t mutex;
    struct ledger ledger;
    /* Ids that had no more users after files were put back to their directory's project; under 'mutex'. */
    uint32_t freed[STRAYS_FREED];
    size_t n_freed;
    uint64_t freed_usec; /* when they were stored, monotonic */
    bool unusable;       /* the ledger on disk is unusable and is being rebuilt */
    struct id_set gone;  /* ids removed from the ledger since the files in /etc were last written */
    /* A filesystem counts by project: only then the files in /etc contain lines of this tree. */
    bool has_quotas;
};

enum op_kind {
    OP_ENSURE,
    OP_RELEASE, /* sets the limits to 0; the id stays with the data */
    OP_REMOVE,
    OP_REFRESH, /* writes the ledger and the files in /etc unchanged */
};
struct op {
    enum op_kind kind;
    const char *container;
    struct kernel_limits limits; /* of OP_ENSURE */
    /* Results. */
    bool found; /* the container has, or had, an item */
    /* The op failed because no id was free. Files that carry ids of others can occupy some. */
    bool no_ids;
    struct ledger_item item; /* a copy; the op owns its strings */
    int result;
    struct error e;
};
void op_clear(struct op *op);

void registry_init(struct registry *r, const struct kernel *kernel, int64_t id_min, int64_t id_max);
void registry_done(struct registry *r);

/* Reads the ledger. A file that is damaged or empty, or that other users than root can write, is renamed,
 * and a note states it. Returns 0 or a negative errno; refused if its format is newer than this version
 * supports. */
int registry_load(struct registry *r, struct notes *notes, struct error *e);

/* Write the ledger, and this tree's lines in /etc/projects and /etc/projid. For the thread that runs the
 * registry. */
int registry_save(struct registry *r, struct error *e);
int registry_write_files(struct registry *r, struct error *e);

/* Removes an item from the ledger. For the thread that runs the registry. */
void registry_drop(struct registry *r, struct ledger_item *item);

size_t registry_count(struct registry *r);
/* Stores ids that had no more users after files were put back. The next registry_run() tries them first and
 * then drops them. Ids that are older than a few seconds are not used. */
void registry_add_freed(struct registry *r, const uint32_t *ids, size_t n);
bool registry_has_freed(struct registry *r);
/* Removes one of these ids and returns it in *ret, or returns false if there is none; drops all of them. */
bool registry_take_freed(struct registry *r, int64_t *ret);
void registry_forget_freed(struct registry *r);

/* Records whether one of the filesystems that a job opened counts by project. */
void registry_see(struct registry *r, const struct places *places);

/* Returns the container that has an id, or NULL; the caller frees it. */
char *registry_owner_of(struct registry *r, int64_t id);

/* Copies an item; the caller releases it with registry_item_clear(). Returns false if there is none. */
bool registry_get(struct registry *r, const char *container, struct ledger_item *ret);
/* Returns copies of all items, in the order of their names. */
struct ledger_item *registry_items(struct registry *r, size_t *ret_n);
struct ledger_item registry_item_copy(const struct ledger_item *item);
void registry_item_clear(struct ledger_item *item);
void registry_items_free(struct ledger_item *items, size_t n);

/* Adds the ids that the two files assign to others. Ids of this tree's directories are not among them. */
void registry_read_others(const struct registry *r, struct id_set *others);

/* Stores the level that is reported for a container. Returns whether it changed, and then the level before.
 */
bool registry_note_level(struct registry *r, const char *container, int level, bool not_enforced,
                         int *ret_before);
