/* What a leader's answer says of this machine and its network, read from the bytes; the instances in it are deliver.h's. Pure. */
#pragma once

#include "lib/basic/util.h"

struct zone_answer {
    char *vpc_bridge_ip, *vpc_instance_cidr; /* NULL: nothing, or nothing that is one */
    bool has_map;                            /* the network map, as far as it can be read */
    uint64_t map_revision;
    char *network_domain;
    char *map_problem; /* NULL: none, or no map */
    size_t n_instances;
};

/* Of a HostStatusUpdateResponse. */
void zone_answer_read(const uint8_t *data, size_t size, struct zone_answer *ret);
void zone_answer_done(struct zone_answer *answer);
