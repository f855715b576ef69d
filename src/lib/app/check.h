/* Declares the parts of app_check(), one file each. All return 0 or a negative errno, −EINVAL or −E2BIG,
 * refused. */
#pragma once

#include "lib/app/app.h"

int check_tasks(const struct app_spec *spec, struct error *e);
int check_deploy(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e);
int check_options(const struct app_options *options, struct error *e);

/* Checks a name that becomes part of keys and messages: 1 to 100 letters, digits and "._-/", of which the
 * first is a letter or digit. 'where' is its JSON pointer. */
int check_word(const char *name, const char *where, struct error *e);

/* Functions of check.c that zone.c uses, too. */
int check_length(const char *text, const char *where, struct error *e); /* NULL is accepted */
int check_image(const struct app_spec *spec, struct error *e);
int check_packages(const struct app_spec *spec, struct error *e);
