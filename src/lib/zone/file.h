/* Reads and writes zone.json, which states the zone that this machine belongs to and its key there. Only
 * rpc-gateway writes VAR/hostlet/zone/zone.json; fetcher reads it, too (through its group, which the file
 * inherits from the directory). The file contains the host's secret. */
#pragma once

#include "lib/paths/tree.h"
#include "lib/schema/schema.h"

struct zone_file {
    int64_t format;
    char *host_id;
    char *access_key; /* "ak_ID_SECRET" */
    char *zone_name;  /* NULL: not known yet */
    char **hosts;     /* "ADDRESS:PORT" of the zone's hosts, as they were given */
    size_t n_hosts;
    char *leader;            /* the host that responded last; NULL: none has */
    char *vpc_bridge_ip;     /* without a prefix length: "192.168.10.3" */
    char *vpc_instance_cidr; /* "10.10.3.0/24" */
    /* The domain of the zone's service names; NULL: not known yet. */
    char *network_domain;
};

extern const struct schema_struct zone_file_schema;

/* Reads the file into the zeroed '*ret', which zone_file_done() releases. Returns −ENOENT (not found) if
 * this machine belongs to no zone. Refuses a newer format. */
int zone_file_read(const struct tree *tree, struct zone_file *ret, struct error *e);
/* Writes the file atomically and durably. */
int zone_file_write(const struct tree *tree, const struct zone_file *zone, struct error *e);
/* Removes the file durably: this machine then belongs to no zone. */
int zone_file_remove(const struct tree *tree, struct error *e);
void zone_file_done(struct zone_file *zone);
