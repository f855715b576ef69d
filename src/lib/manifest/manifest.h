/* Reads manifests from files: an app-spec in TOML or JSON with the table [hostlet], a whole AppInstance in
 * JSON, or the canonical form that "hostletctl convert" prints. hostlet-manifest(5) describes them.
 *
 * The first mistake is reported in one message with the file, the line (TOML) or JSON pointer (JSON), and
 * the field. */
#pragma once

#include "lib/api/app.h"

#define MANIFEST_SIZE_MAX ((size_t)4 << 20) /* bytes */

/* Reads a file, or standard input ("-"), into the zeroed *ret, checks and normalises it (lib/app/check.h,
 * normalise.h). The caller releases it with schema_done(&app_manifest_schema, …). Returns 0 or a negative
 * errno; then *ret is released. */
int manifest_read(const char *path, struct app_manifest *ret, struct error *e);

/* Reads a manifest from text. 'source' is its name in messages. The text is JSON if 'source' ends in
 * ".json", TOML if it ends in ".toml"; else it is JSON if it begins with '{'. */
int manifest_parse(const char *text, size_t size, const char *source, struct app_manifest *ret,
                   struct error *e);
