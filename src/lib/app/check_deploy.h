/* Checks a manifest's deploy part and hostlet's options, as a part of app_check(). */
#pragma once

#include "lib/api/app.h"

int check_deploy(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e);
int check_options(const struct app_options *options, struct error *e);

/* Returns the action of an order: APP_ACTION_START if it is missing (NULL or empty), −EINVAL if the contract
 * does not define it. */
int app_action_of(const struct app_deploy *deploy);
