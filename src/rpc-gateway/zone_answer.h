/* What a leader's answer says, read from the bytes; going through its instances is deliver.h's. Pure. */
#pragma once

#include "lib/api/app.h"
#include "lib/basic/error.h"

struct zone_answer {
    char *vpc_bridge_ip, *vpc_instance_cidr; /* NULL: nothing, or nothing that is one */
    bool has_map;                            /* the network map, as far as it can be read */
    uint64_t map_revision;
    char *network_domain;
    char *map_problem; /* NULL: none, or no map */
    size_t n_instances;
};

/* Forms of what it says: an IPv4 address, one with a prefix ("10.10.3.0/24"), a domain's name. */
bool zone_is_address(const char *text);
bool zone_is_network(const char *text);
bool zone_is_domain(const char *text);
/* Whether a host, "ADDRESS:PORT" or bare, lies in a network such as "10.10.3.0/24"; false for names. */
bool zone_network_holds(const char *network, const char *host);

/* Of a HostStatusUpdateResponse. */
void zone_answer_read(const uint8_t *data, size_t size, struct zone_answer *ret);
void zone_answer_done(struct zone_answer *answer);

/* One instance of it, without the echo of our own reports. Refused: what cannot be unpacked, has bad text or
 * no name. 'ret' is released with schema_done(&app_instance_schema, ret). */
int zone_answer_instance(const uint8_t *data, size_t size, struct app_instance *ret, struct error *e);

/* Goes through the instances' bytes, which are borrowed: *at begins at 0, false at the end. And how many
 * there are. 'data' may be NULL. */
bool zone_answer_next(const uint8_t *data, size_t size, size_t *at, const uint8_t **ret, size_t *ret_size);
size_t zone_answer_count(const uint8_t *data, size_t size);

/* The name of one instance, read without unpacking it: for one that is too large for that. NULL: it has none,
 * or no proper one of at most 'max' bytes. The caller frees. */
char *zone_answer_name(const uint8_t *data, size_t size, size_t max);
