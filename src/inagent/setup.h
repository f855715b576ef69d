/* Reads what the commands for configuration files need of app_replica.json: variables and config items. */
#pragma once

#include <jansson.h>

#include "inagent/spec.h"

struct setup {
    json_t *root;
    json_t *variables; /* variables.h */
};

/* Parses a document of 'size' bytes. 'identity' chooses the replica (NULL: the document's own). Fails with
 * "Not App Instance Setup: …" if it does not describe an instance; otherwise the caller clears *ret. */
int setup_parse(const char *data, size_t size, const struct identity *identity, struct setup *ret,
                struct error *e);
void setup_clear(struct setup *setup);

/* Finds the config item NAME: "NAME", "cfg/NAME", or "NAME.ITEM" for an item of it; "/" and "." are the same,
 * "-" and
 * "_", too. Sets *ret to its value, trimmed and expanded, which the caller frees, and *ret_type to its type,
 * which is borrowed. Returns −ENOENT (not found) if there is none. */
int setup_find_config(const struct setup *setup, const char *name, char **ret, const char **ret_type,
                      struct error *e);

/* Returns all variables as JSON, sorted by their keys. The caller frees the text. */
char *setup_export(const struct setup *setup);
