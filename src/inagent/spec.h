/* Reads app_replica.json, hostlet's description of the container, as far as inagent uses it. */
#pragma once

#include <jansson.h>

#include "inagent/plan.h"
#include "lib/basic/error.h"

/* The identity of this container, from the environment (contract section 5). */
struct identity {
    const char *host_id; /* borrowed */
    int64_t replica_id;
};

struct spec {
    struct task_definition *tasks; /* in the document's order, each name once */
    size_t n_tasks;
    char *instance;  /* app.meta.name, "" if not given */
    double revision; /* app.deploy.revision, for messages */
};

/* Parses a document of 'size' bytes. Fails with "spec file empty", "spec decode failed: …" or "replica not
 * found: …" and then leaves *ret untouched; otherwise the caller clears *ret. */
int spec_parse(const char *data, size_t size, const struct identity *identity, struct spec *ret,
               struct error *e);

void spec_clear(struct spec *spec);

/* Returns the entry of deploy.replicas that is this container, else the document's member 'replica'; NULL:
 * neither exists. Borrowed from 'root'. */
json_t *spec_find_replica(json_t *root, const struct identity *identity);

/* The members needed to report on a specification, also on an unusable one. */
struct envelope {
    bool known;                    /* false: nothing else is set */
    char *instance, *url, *secret; /* "" if not given */
    double revision;
};

/* Reads these members. 'known' is false if the document is not a JSON object with a named application. The
 * caller clears *ret. */
void spec_envelope(const char *data, size_t size, struct envelope *ret);
void envelope_clear(struct envelope *envelope);
