/* zone.json: to which zone this machine belongs, and by which key. VAR/hostlet/zone/zone.json, whose one
 * writer is rpc-gateway; fetcher reads it too (the group of the fetcher, which the directory hands on). It
 * holds the host's secret. */
#pragma once

#include "lib/paths/tree.h"
#include "lib/schema/schema.h"

struct zone_file {
    int64_t format;
    char *host_id;
    char *access_key; /* "ak_ID_SECRET" */
    char *zone_name;  /* NULL: not told yet */
    char **hosts;     /* "ADDRESS:PORT" of the zone's hosts, as they were given */
    size_t n_hosts;
    char *leader;            /* the one of them that answered last; NULL: none did */
    char *vpc_bridge_ip;     /* bare: "192.168.10.3" */
    char *vpc_instance_cidr; /* "10.10.3.0/24" */
    char *network_domain;    /* that the zone's services have their names in; NULL: not told yet */
};

extern const struct schema_struct zone_file_schema;

/* Into the zeroed '*ret', released by zone_file_done(). −ENOENT: this machine belongs to no zone. A newer
 * format is refused. */
int zone_file_read(const struct tree *tree, struct zone_file *ret, struct error *e);
/* Atomic and durable. */
int zone_file_write(const struct tree *tree, const struct zone_file *zone, struct error *e);
/* The machine belongs to no zone any more. */
int zone_file_remove(const struct tree *tree, struct error *e);
void zone_file_done(struct zone_file *zone);
