/* Manifests as files: an app-spec in TOML or JSON with our table [hostlet], a whole AppInstance in JSON, or
 * the canonical form that "hostletctl convert" prints. hostlet-manifest(5) describes them.
 *
 * Every mistake is one message that names the file, the line (TOML) or JSON pointer (JSON), and the field. */
#pragma once

#include "lib/api/app.h"

#define MANIFEST_SIZE_MAX ((size_t)4 << 20) /* bytes */

/* Reads a file, or standard input ("-"), into the zeroed *ret, checked and normalised (lib/app/app.h); the
 * caller releases it with schema_done(&app_manifest_schema, …). */
int manifest_read(const char *path, struct app_manifest *ret, struct error *e);

/* The same from text. 'source' names it in messages; it is JSON if it ends in ".json" or begins with '{'. */
int manifest_parse(const char *text, size_t size, const char *source, struct app_manifest *ret,
                   struct error *e);
