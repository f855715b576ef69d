/* Checks manifests, fills in their defaults and decides which changes make a new revision. hostletctl,
 * which reads manifests from files, and the reconciler, which checks every input again, share these
 * functions.
 *
 * The schema has checked the types of the members before; these functions check what types do not express.
 * Messages begin with the JSON pointer of the member in a manifest: "/app/spec/tasks/1/depends_on/0: …". */
#pragma once

#include "lib/api/app.h"

#define APP_REPLICA_ID_MAX   127
#define APP_CPU_LIMIT_MIN    INT64_C(10)               /* millicores; Docker's minimum */
#define APP_CPU_LIMIT_MAX    INT64_C(1000000)          /* millicores */
#define APP_MEMORY_LIMIT_MIN (INT64_C(6) << 20)        /* bytes; Docker's minimum */
#define APP_BYTES_MAX        (INT64_C(1) << 60)        /* bytes of memory or of a volume */
#define APP_PIDS_LIMIT_MAX   INT64_C(4194304)          /* the kernel's maximum */
#define APP_STOP_TIMEOUT_MAX INT64_C(24 * 3600 * 1000) /* milliseconds */
#define APP_PROBATION_MAX    INT64_C(3600 * 1000)      /* milliseconds */
/* Limits of an instance. With them, everything that is stored or sent about an instance fits into its
 * readers' buffers (the reconciler's store, messages, inagent). */
#define APP_SIZE_MAX          ((size_t)4 << 20) /* bytes of a manifest as JSON */
#define APP_DEPTH_MAX         64                /* nesting of the JSON */
#define APP_PACKAGES_MAX      1000
#define APP_PORTS_MAX         100
#define APP_TASKS_MAX         1000
#define APP_CONFIGS_MAX       5000 /* settings in one list */
#define APP_NAME_MAX          100  /* bytes: the name of the spec or of a port, or a version */
#define APP_PIDS_WITH_INAGENT INT64_C(100)
#define APP_PIDS_WITH_IMAGE   INT64_C(1000)

/* Parses a number of CPUs, "500m", "1" or "0.5", into millicores. Returns 0; −EINVAL (refused) for another
 * unit or a value finer than a thousandth of a CPU; −ERANGE (refused) for one out of range. The message
 * quotes the text. */
int app_parse_cpu(const char *text, int64_t *ret_millicores, struct error *e);

/* Parses a number of bytes, "512Mi", "10Gi", "1.5G" or "1048576", rounded up to a whole byte. Ki Mi Gi Ti
 * Pi are powers of 1024, k M G T P of 1000. Returns errors like app_parse_cpu(). */
int app_parse_memory(const char *text, int64_t *ret_bytes, struct error *e);

/* Checks that 'name' is a valid name of an instance: an RFC 1123 label in lower case of 3 to 63
 * characters. Returns 0 or −EINVAL (refused); the message begins with 'what'. */
int app_check_instance_name(const char *name, const char *what, struct error *e);

/* Returns i8k_INSTANCE_ID, the name of a replica's container; the caller frees it. */
char *app_container_name(const char *instance, int64_t replica_id);

/* Parses such a name. Returns 0, or −EINVAL if it does not have that form. The caller frees *ret_instance. */
int app_container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id);

/* Returns the instance's name (borrowed): meta.name, else the spec's name; NULL without either. */
const char *app_instance_name(const struct app_manifest *manifest);

/* Checks that this machine can accept the manifest as a local desired state (not a zone's). Returns 0, or
 * −EINVAL or −E2BIG (refused). Changes nothing. */
int app_check(const struct app_manifest *manifest, struct error *e);

/* Checks that a manifest, also a zone's, is small enough for this machine; called before the checks of its
 * members. Returns 0 or −E2BIG (refused). 'root' is "/app" if messages point into a manifest, else "". */
int app_check_extent(const struct app_manifest *manifest, const char *root, struct error *e);

/* Converts a checked manifest to the one form that is stored and compared: the instance's name in
 * meta.name; limits from spec.resources where deploy has none; one replica 0 where there is none, replicas
 * sorted by id; configs from the spec's defaults where deploy has none; default options made explicit;
 * members that only a zone sets removed (ids of hosts, addresses, states, stages, dependencies, revisions,
 * times). Idempotent. Returns 0, or a negative errno if a limit cannot be parsed. */
int app_normalise(struct app_manifest *manifest, struct error *e);

/* Reports whether two normalised manifests belong to the same revision: they may differ in volume_limit,
 * action, the set of replicas, probation, stop_timeout, parallel and the spec's description. Host ports of
 * a replica that is in both must be equal. */
bool app_same_revision(const struct app_manifest *a, const struct app_manifest *b);

/* Returns the action of an order: APP_ACTION_START if it is missing (NULL or empty), −EINVAL if the contract
 * does not define it. */
int app_action_of(const struct app_deploy *deploy);

/* Returns the replica with this id (borrowed), or NULL. */
struct app_replica *app_find_replica(const struct app_manifest *manifest, int64_t id);

/* Returns the replica with this id that is bound to the host 'host_id' (borrowed), or NULL: a zone's
 * instance has replicas on several hosts. */
struct app_replica *app_find_replica_of(const struct app_manifest *manifest, int64_t id, const char *host_id);

/* Returns what this machine stores of an instance that the zone's leader sent: everything but the echo of
 * its own reports (deploy.stages, status), with limits from spec.resources where deploy has none, and
 * hostlet's options at their defaults. The caller frees it. */
struct app_manifest *app_zone_manifest(const struct app_instance *instance);

/* Checks that this machine can run a zone's instance, as far as its own replicas are concerned. Members
 * that only inagent reads are not checked, since the leader has accepted them. Returns 0, or −EINVAL or
 * −E2BIG (refused). */
int app_check_zone(const struct app_instance *instance, const char *host_id, struct error *e);

/* Makes explicit the options of hostlet that have a fixed default. */
void app_default_options(struct app_manifest *manifest);
