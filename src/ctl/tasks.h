/* Prints the tasks of an application. */
#pragma once

#include "lib/api/reconciler.h"

/* Prints a table with what each replica's agent reports of each task of the manifest. */
void print_tasks(const struct reconciler_instance *instance, const struct app_manifest *manifest);
