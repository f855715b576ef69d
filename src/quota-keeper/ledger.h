/* The ledger of project ids: hostlet_vol_quota.json of the InnerStack contract, section 8, with further
 * members.
 *
 * It has one item per container, which is found by name or id in O(log n); gaps between ids are used
 * again. It stores the desired limits; the enforced ones are always read from the kernel. It can be
 * rebuilt from the kernel and the directories. */
#pragma once

#include "lib/basic/error.h"
#include "quota-keeper/ids.h"
#include "quota-keeper/kernel.h"

#define LEDGER_FORMAT 1 /* the original agent's files have no format */

struct ledger_item {
    int64_t id;
    char *mnt;                               /* mount point when the item was last changed */
    char *name;                              /* the container's name */
    int64_t soft, hard, inodes_soft, inodes; /* desired limits: bytes and inodes; 0: none */
    int64_t used;                            /* bytes, when the ledger was last written */
    bool released;                           /* the limits are lifted; the data can still exist */
    bool inodes_derived;                     /* 'inodes' is derived from the bytes and was not requested */
    /* Not in the file. */
    int level;         /* enum quota_level, as last reported */
    bool not_enforced; /* as last reported */
};

struct ledger {
    void *by_name, *by_id; /* trees of tsearch(3) */
    size_t n;
    int64_t id_min, id_max;
    struct id_set taken; /* the items' ids, and those that were found in use by others */
};

void ledger_init(struct ledger *ledger, int64_t id_min, int64_t id_max);
void ledger_done(struct ledger *ledger);

/* Return the item, or NULL if there is none. The ledger keeps ownership. */
struct ledger_item *ledger_find(const struct ledger *ledger, const char *name);
struct ledger_item *ledger_find_id(const struct ledger *ledger, int64_t id);

/* Adds an item. Returns NULL if the name or the id is already in the ledger, or if the id is not positive. */
struct ledger_item *ledger_add(struct ledger *ledger, const char *name, int64_t id);
void ledger_remove(struct ledger *ledger, struct ledger_item *item);

/* Finds the lowest id of the range that is neither in the ledger nor in use by others, which 'is_foreign'
 * reports. Returns 0, or −ENOSPC if there is none. Ids in use by others are stored, so that 'is_foreign'
 * is called once for each; when the range is exhausted, all are checked again. */
int ledger_allocate(struct ledger *ledger, bool (*is_foreign)(int64_t id, void *userdata), void *userdata,
                    int64_t *ret_id, struct error *e);

/* Returns the items in the order of their names; the caller frees the array. */
struct ledger_item **ledger_items(const struct ledger *ledger, size_t *ret_n);

/* Returns the text of the file; the caller frees it. */
char *ledger_pack(const struct ledger *ledger);

/* Adds the items of 'text' to an empty ledger. Invalid items (a name that is no container's, an id that is
 * 0 or appears twice) are skipped; *ret_left_out is their number. Returns 0 or a negative errno. −EBADMSG:
 * the text is damaged, empty or not a ledger; nothing was added. −ENOTSUP (refused): the format is newer
 * than this version supports. */
int ledger_parse(struct ledger *ledger, const char *text, size_t size, const char *source,
                 size_t *ret_left_out, struct error *e);
