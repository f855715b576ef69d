/* Determines from a container's labels whom it belongs to: this tree, another tree, the original agent of
 * InnerStack v2, or another program. */
#pragma once

#include "lib/api/container_driver.h"

/* The labels that state an owner; NULL: the container does not carry the label. */
struct owner_labels {
    const char *tree;                  /* LABEL_TREE */
    const char *app_name, *app_rep_id; /* those that the contract defines */
};

/* Sets 'ours', 'tree', 'owner', 'adoptable' and 'misfit' of a container whose name, instance, replica id,
 * slot, 'misnamed' and image are set. 'tree_id' is this tree's id. */
void owner_set(struct driver_container *c, const char *tree_id, const struct owner_labels *labels);
