/* Checks that the ports of manifests can be published at the same time. */
#pragma once

#include "lib/api/app.h"
#include "lib/basic/error.h"

/* Checks the bindings of one manifest, which need not be normalised, as a part of app_check(): each names a
 * port of the spec and is well-formed, and no two want the same port of this machine. */
int check_bindings(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e);

/* Checks that several normalised manifests, which are to be applied to this machine, do not want the same
 * port: those that they state, and those that a single replica gets by their numbers. An instance that is to
 * be destroyed wants none. Returns 0, or −EEXIST (refused) with a message that names both instances; then
 * *ret_first and *ret_second are the indexes of their manifests. */
int app_check_together(const struct app_manifest *manifests, size_t n, size_t *ret_first, size_t *ret_second,
                       struct error *e);
