/* The adoption ledger: containers that another agent made, and that an import took over. They carry no label of ours, so their
 * ids say that they are. Written by the import, while the tree does not run; read at each start. */
#pragma once

#include "lib/api/driver.h"

struct adopted {
    char *id;         /* of the container, in full */
    int64_t revision; /* that runs in it */
};

struct adoption {
    int64_t format;
    struct adopted **containers;
    size_t n_containers;
};

/* DIR/adopted.json; no such file is an empty ledger. A newer format is refused. */
int adoption_load(const char *directory, struct adoption *ret, struct error *e);
void adoption_done(struct adoption *adoption);

/* Makes a container ours that stands in the ledger. */
void adoption_apply(const struct adoption *adoption, struct driver_container *c);
