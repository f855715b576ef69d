/* Implements the runtime's operations (runtime.h) on Docker's containers. */
#pragma once

#include "container-driver/docker/docker.h"

void docker_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
void docker_inspect(struct runtime *rt, const char *name, bool is_id, runtime_answer_fn answer,
                    void *userdata);
void docker_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
void docker_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
                 void *userdata);
void docker_rename(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                   void *userdata);
void docker_remove(struct runtime *rt, const char *id, bool keep_volumes, runtime_answer_fn answer,
                   void *userdata);
void docker_set_restart(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                        void *userdata);
