/* app_replica.json: what hostlet tells the container about itself, as far as inagent uses it. */
#pragma once

#include "inagent/plan.h"
#include "lib/basic/error.h"

/* Who we are, from the environment (contract section 5). */
struct identity {
    const char *host_id; /* borrowed */
    int64_t replica_id;
};

struct spec {
    struct task_definition *tasks; /* in the document's order, each name once */
    size_t n_tasks;
    char *instance;  /* app.meta.name, "" when not given */
    double revision; /* app.deploy.revision, for messages */
};

/* Parses a document of 'size' bytes. Failures are "spec file empty", "spec decode failed: …" and "replica not
 * found: …"; *ret is untouched then, else the caller's, to clear. */
int spec_parse(const char *data, size_t size, const struct identity *identity, struct spec *ret,
               struct error *e);

void spec_clear(struct spec *spec);

/* What is needed to report on a specification, be it one that can be used or not. */
struct envelope {
    bool known;                    /* false: nothing else is set */
    char *instance, *url, *secret; /* "" where not given */
    double revision;
};

/* Not known is what is no JSON object with an application of some name. The caller clears it. */
void spec_envelope(const char *data, size_t size, struct envelope *ret);
void envelope_clear(struct envelope *envelope);
