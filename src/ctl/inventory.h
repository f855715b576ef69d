/* Makes the inventory of a machine of the original agent: every replica that one of the machine's sources
 * names, what each source knows of it, and whether its container can be adopted.
 *
 * The sources are hostlet_active.json (which only root can write, and which takes precedence), the replicas'
 * directories in the app path with app_replica.json (which the tenants can write), and Docker. Each of them
 * may lack what the others know. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/original.h"
#include "ctl/original_replica.h"
#include "lib/api/container_driver.h"

enum inventory_source { SOURCE_ACTIVE = 1, SOURCE_DIRECTORY = 2, SOURCE_DOCKER = 4 };

/* What an import does with an item. */
enum inventory_fate {
    FATE_MISSING,     /* there is no container */
    FATE_ADOPT,       /* the container is adopted */
    FATE_ADOPTED,     /* it was adopted already */
    FATE_OURS,        /* this tree made the container */
    FATE_OTHER_TREE,  /* another tree made it */
    FATE_NOT_ADOPTED, /* it does not fit */
    FATE_NO_NAME,     /* what a source names is no name of a container */
};

struct inventory_item {
    char *container;
    char *instance; /* NULL: 'container' does not have the form i8k_NAME_N */
    int64_t replica_id;
    unsigned sources;                  /* bits of enum inventory_source */
    const struct app_instance *wanted; /* borrowed from the original's state; NULL: it has none */
    struct original_replica replica;
    int64_t revision;               /* that the original applied last; −1: unknown */
    bool unsure;                    /* only the tenant states the revision */
    const char *secret;             /* of the container's agent, borrowed; NULL: unknown */
    struct driver_container *found; /* NULL: there is no container */
    enum inventory_fate fate;
    char **remarks; /* sentences without an end, for a human: what sources lack or contradict, why not */
    size_t n_remarks;
};

struct inventory {
    struct inventory_item **items; /* sorted by container */
    size_t n_items;
};

/* Makes the inventory, with a call of container-driver, into the zeroed '*ret'. Borrows 'original', which
 * must outlive it. The caller releases it, also after an error. */
int inventory_read(const struct ctl *ctl, const struct original *original, struct inventory *ret,
                   struct error *e);
/* Makes the inventory of one container, whose name has the form i8k_NAME_N: it has no other item. Returns
 * −ENOENT (not found) if the container does not exist. 'original' may lack a 'dir', if the original's state
 * is not known: then nothing is stated about it. */
int inventory_read_one(const struct ctl *ctl, const struct original *original, const char *container,
                       struct inventory *ret, struct error *e);
void inventory_done(struct inventory *inventory);

/* Returns the number of items with that fate. */
size_t inventory_count(const struct inventory *inventory, enum inventory_fate fate);
