/* The parts of app_check(), one file each. All return 0 or −EINVAL, refused. */
#pragma once

#include "lib/app/app.h"

int check_tasks(const struct app_spec *spec, struct error *e);
int check_deploy(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e);
int check_options(const struct app_options *options, struct error *e);

/* A name that becomes part of keys and messages: 1 to 100 of letters, digits and "._-/", beginning with a
 * letter or digit. 'where' is the pointer. */
int check_word(const char *name, const char *where, struct error *e);

/* Of check.c, for zone.c as well. */
int check_length(const char *text, const char *where, struct error *e); /* NULL is fine */
int check_image(const struct app_spec *spec, struct error *e);
int check_packages(const struct app_spec *spec, struct error *e);
