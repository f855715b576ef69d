/* Reads a leader's answer from its bytes; deliver.h processes its instances. No function has a side
 * effect. */
#pragma once

#include "lib/api/app.h"
#include "lib/basic/error.h"

struct zone_answer {
    char *vpc_bridge_ip, *vpc_instance_cidr; /* NULL: missing or invalid */
    const uint8_t *map; /* the bytes of the network map, borrowed from the answer; NULL: it has none */
    size_t map_size;
    size_t n_instances;
};

/* Reports whether a host, "ADDRESS:PORT" or without a port, is in a network such as "10.10.3.0/24"; false
 * for names. */
bool zone_network_holds(const char *network, const char *host);

/* Reads a HostStatusUpdateResponse. The caller releases '*ret' with zone_answer_done(). */
void zone_answer_read(const uint8_t *data, size_t size, struct zone_answer *ret);
void zone_answer_done(struct zone_answer *answer);

/* Unpacks one instance, without the echo of this machine's reports. Returns 0, or a negative errno
 * (refused) if it cannot be unpacked, has invalid text or no name. The caller releases 'ret' with
 * schema_done(&app_instance_schema, ret). */
int zone_answer_instance(const uint8_t *data, size_t size, struct app_instance *ret, struct error *e);

/* Steps through the instances' bytes, which are borrowed. '*at' is 0 at first; returns false at the end.
 * zone_answer_count() returns their number. 'data' can be NULL. */
bool zone_answer_next(const uint8_t *data, size_t size, size_t *at, const uint8_t **ret, size_t *ret_size);
size_t zone_answer_count(const uint8_t *data, size_t size);

/* Reads the name of one instance without unpacking it, for an instance that is too large for that. Returns
 * NULL if it has no name, or one that is not valid text of at most 'max' bytes. The caller frees it. */
char *zone_answer_name(const uint8_t *data, size_t size, size_t max);
