/* Checks manifests. hostletctl, which reads manifests from files, and the reconciler, which checks every
 * input again, share these functions.
 *
 * The schema has checked the types of the members before; these functions check what types do not express.
 * Messages begin with the JSON pointer of the member in a manifest: "/app/spec/tasks/1/depends_on/0: …". */
#pragma once

#include "lib/api/app.h"

/* Checks that this machine can accept the manifest as a local desired state (not a zone's). Returns 0, or
 * −EINVAL or −E2BIG (refused). Changes nothing. */
int app_check(const struct app_manifest *manifest, struct error *e);

/* The functions below are parts of app_check() for other files. All return 0 or a negative errno, −EINVAL or
 * −E2BIG, refused. */

/* Checks a name that becomes part of keys and messages: 1 to 100 letters, digits and "._-/", of which the
 * first is a letter or digit. 'where' is its JSON pointer. */
int check_word(const char *name, const char *where, struct error *e);

int check_length(const char *text, const char *where, struct error *e); /* NULL is accepted */
int check_image(const struct app_spec *spec, struct error *e);
int check_packages(const struct app_spec *spec, struct error *e);
