/* Manifests as a whole: checking, defaults, what makes a new revision. Shared by hostletctl, which reads them
 * from files, and the reconciler, which trusts nobody.
 *
 * The schema has parsed the members' types before; here stands what the types do not say. Messages begin with
 * the JSON pointer of the member in a manifest: "/app/spec/tasks/1/depends_on/0: …". */
#pragma once

#include "lib/api/app.h"

#define APP_REPLICA_ID_MAX   127
#define APP_CPU_LIMIT_MIN    INT64_C(10)               /* millicores: what Docker accepts */
#define APP_CPU_LIMIT_MAX    INT64_C(1000000)          /* millicores */
#define APP_MEMORY_LIMIT_MIN (INT64_C(6) << 20)        /* bytes: what Docker accepts */
#define APP_BYTES_MAX        (INT64_C(1) << 60)        /* bytes: of memory and volumes */
#define APP_PIDS_LIMIT_MAX   INT64_C(4194304)          /* the kernel's */
#define APP_STOP_TIMEOUT_MAX INT64_C(24 * 3600 * 1000) /* milliseconds */
#define APP_PROBATION_MAX    INT64_C(3600 * 1000)      /* milliseconds */
/* What an instance may be: everything that is written or told of it then fits into what reads it
 * (reconciler/store.c, messages, inagent). */
#define APP_SIZE_MAX          ((size_t)4 << 20) /* bytes of a manifest as JSON */
#define APP_DEPTH_MAX         64                /* of JSON */
#define APP_PACKAGES_MAX      1000
#define APP_PORTS_MAX         100
#define APP_TASKS_MAX         1000
#define APP_CONFIGS_MAX       5000 /* settings in one list */
#define APP_NAME_MAX          100  /* bytes: of the spec and of ports; a version as well */
#define APP_PIDS_WITH_INAGENT INT64_C(100)
#define APP_PIDS_WITH_IMAGE   INT64_C(1000)

/* "500m", "1", "0.5": millicores. Finer than a thousandth, another unit, or out of range: −EINVAL or −ERANGE,
 * refused; the message quotes the text and shows the forms. */
int app_parse_cpu(const char *text, int64_t *ret_millicores, struct error *e);

/* "512Mi", "10Gi", "1.5G", "1048576": bytes, rounded up to a whole one. Ki Mi Gi Ti Pi are powers of 1024,
 * k M G T P of 1000. */
int app_parse_memory(const char *text, int64_t *ret_bytes, struct error *e);

/* Whether 'name' is an instance's: an RFC 1123 label of 3 to 63 characters. 'what' begins the message. */
int app_check_instance_name(const char *name, const char *what, struct error *e);

/* i8k_INSTANCE_ID; the caller frees. */
char *app_container_name(const char *instance, int64_t replica_id);

/* Takes such a name apart: 0, or −EINVAL when it has not that form. The caller frees *ret_instance. */
int app_container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id);

/* The instance's name: meta.name, else the spec's. NULL without either; borrowed. */
const char *app_instance_name(const struct app_manifest *manifest);

/* Whether this machine can take the manifest as its own desired state (not a zone's). 0, or −EINVAL, refused.
 * Changes nothing. */
int app_check(const struct app_manifest *manifest, struct error *e);

/* Whether a manifest, a zone's too, is small enough for this machine, before anything looks at its parts: 0,
 * or −E2BIG, refused. 'root' is "/app" where messages point into a manifest, or "". */
int app_check_extent(const struct app_manifest *manifest, const char *root, struct error *e);

/* Brings a checked manifest into the one form that is stored and compared: name, limits from spec.resources
 * where deploy has none, one replica 0 where there is none (replicas sorted by id), configs from the spec's
 * defaults where deploy has none, all options but the configured ones explicit; what only a zone knows is
 * taken out (ids of hosts, addresses, states, stages, dependencies, revisions, times). Idempotent. */
int app_normalise(struct app_manifest *manifest, struct error *e);

/* Whether two normalised manifests need no new revision: equal apart from volume_limit, action, which
 * replicas there are, probation, stop_timeout, parallel and the spec's description. Host ports of replicas
 * that both have do count. */
bool app_same_revision(const struct app_manifest *a, const struct app_manifest *b);

/* What an order's action says: start where it is absent (NULL or empty), −EINVAL where it is none of the
 * contract's. */
int app_action_of(const struct app_deploy *deploy);

/* The replica with this id, borrowed, or NULL. */
struct app_replica *app_find_replica(const struct app_manifest *manifest, int64_t id);

/* The same where it is bound to this host as well: a zone's instance has replicas on many. */
struct app_replica *app_find_replica_of(const struct app_manifest *manifest, int64_t id, const char *host_id);

/* What is stored of an instance that a zone's leader sent: all of it, less the echo of our own reports
 * (deploy.stages, status), with limits from spec.resources where deploy has none, and our options at their
 * defaults. The caller frees. */
struct app_manifest *app_zone_manifest(const struct app_instance *instance);

/* Whether this machine can follow it, as far as its own replicas go: what only inagent reads is not looked
 * at, since the leader let it through. 0, or −EINVAL, refused. */
int app_check_zone(const struct app_instance *instance, const char *host_id, struct error *e);

/* Makes all of our options explicit that have a default of their own. */
void app_default_options(struct app_manifest *manifest);
