/* One method call that asks the runtime before it answers. */
#pragma once

#include "container-driver/manager.h"

/* A call that waits for the runtime. When its client leaves, it is finished all the same, and nobody is told.
 */
struct task {
    struct manager *manager;
    struct varlink_call *call; /* NULL: the client left */
    const struct varlink_method *method;
    void *in;   /* a copy of the parameters: the method's struct */
    char *name; /* of the container that it is about */
    char *id;
    struct runtime_job *job; /* cancelled when the client leaves; may be NULL */
    void (*then)(struct task *task, struct driver_container *container);
};

struct task *task_new(struct manager *manager, struct varlink_call *call, const char *method, const void *in);
/* Each ends and frees the task. 'out' is the method's struct, borrowed. */
void task_reply(struct task *task, const void *out);
void task_fail(struct task *task, const struct error *e);
/* One answer of several, where the caller wants more than one; else nothing. */
void task_notify(struct task *task, const void *out);

/* Calls 'then' with the container in a slot of a replica, NULL when there is none. The container is borrowed.
 */
void task_with_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                         void (*then)(struct task *task, struct driver_container *container));
/* The same for calls that change something or read what is private: a container that is not ours ends the
 * task with CONFLICT. */
void task_with_own_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                             void (*then)(struct task *task, struct driver_container *container));
/* The error for a container that is not ours. */
int container_conflict(const struct driver_container *c, struct error *e);

/* Failpoints around an act; true when the test made it fail, and the task has ended. */
bool task_failpoint(struct task *task, const char *name);

/* A runtime_answer_fn for acts that only work or fail: replies without members. Userdata is the task. */
void task_answer(struct runtime_result *result, const struct error *e, void *userdata);
