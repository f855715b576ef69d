/* The ledger of project ids: hostlet_vol_quota.json of the InnerStack contract, section 8, with members of
 * our own.
 *
 * One item per container, found by name or id in O(log n), ids given out with gaps reused. It says what is
 * wanted; what is enforced is always read from the kernel. It can be made anew from the kernel and the
 * directories. */
#pragma once

#include "lib/basic/error.h"
#include "quota-keeper/ids.h"
#include "quota-keeper/kernel.h"

#define LEDGER_FORMAT 1 /* absent in files of the original agent */

struct ledger_item {
    int64_t id;
    char *mnt;                               /* mount point, as it was when it was last looked at */
    char *name;                              /* of the container */
    int64_t soft, hard, inodes_soft, inodes; /* wanted: bytes, and inodes; 0: none */
    int64_t used;                            /* bytes, when it was last written */
    bool released;                           /* limits are lifted, data may be kept */
    bool inodes_derived;                     /* 'inodes' follows from the bytes, and not from who asked */
    /* Not in the file. */
    int level;         /* enum quota_level, as last told */
    bool not_enforced; /* the same */
};

struct ledger {
    void *by_name, *by_id; /* trees of tsearch(3) */
    size_t n;
    int64_t id_min, id_max;
    struct id_set taken; /* the items' ids, and those that were seen in use by others */
};

void ledger_init(struct ledger *ledger, int64_t id_min, int64_t id_max);
void ledger_done(struct ledger *ledger);

/* NULL when there is none; the item stays the ledger's. */
struct ledger_item *ledger_find(const struct ledger *ledger, const char *name);
struct ledger_item *ledger_find_id(const struct ledger *ledger, int64_t id);

/* A new item with an id that nobody has, in the ledger and elsewhere: NULL if the name or the id is taken. */
struct ledger_item *ledger_add(struct ledger *ledger, const char *name, int64_t id);
void ledger_remove(struct ledger *ledger, struct ledger_item *item);

/* The lowest id of the range that is neither in the ledger nor, as 'is_foreign' says, known to anyone else;
 * −ENOSPC when there is none. What is foreign is remembered, so that it is asked about once. */
int ledger_allocate(struct ledger *ledger, bool (*is_foreign)(int64_t id, void *userdata), void *userdata,
                    int64_t *ret_id, struct error *e);

/* The items in the order of their names; the caller frees the array. */
struct ledger_item **ledger_items(const struct ledger *ledger, size_t *ret_n);

/* The text of the file; the caller frees. */
char *ledger_pack(const struct ledger *ledger);

/* Adds what the text holds to an empty ledger. Items that cannot be ours (no name of a container, an id that
 * is 0 or given twice) are left out and counted. −EBADMSG: torn, empty or no ledger at all; nothing was
 * added. Refused (−ENOTSUP): a newer format than is known. */
int ledger_parse(struct ledger *ledger, const char *text, size_t size, const char *source,
                 size_t *ret_left_out, struct error *e);
