/* Checks the tasks of a spec, as a part of app_check(). */
#pragma once

#include "lib/api/app.h"

int check_tasks(const struct app_spec *spec, struct error *e);
