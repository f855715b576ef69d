/* Simulates the null runtime's containers: start, stop, exits and restarts. */
#pragma once

#include "container-driver/null/null.h"

void null_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
void null_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
               void *userdata);
/* Continues the simulation of a container after a restart of the driver. */
void null_resume(struct null_container *k);
