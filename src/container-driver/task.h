/* Handles one method call that needs the runtime before it can reply. */
#pragma once

#include "container-driver/manager.h"

/* A call that waits for the runtime. When its client hangs up, the task completes without a reply; only a
 * task with a 'job' is cancelled. */
struct task {
    struct manager *manager;
    struct varlink_call *call; /* NULL: the client hung up */
    const struct varlink_method *method;
    void *in;   /* a copy of the parameters: the method's struct */
    char *name; /* of the container */
    char *id;
    int slot;
    char *selected;          /* the id by which the call selects the container; NULL: its name does */
    struct runtime_job *job; /* cancelled when the client hangs up; may be NULL */
    void (*then)(struct task *task, struct driver_container *container);
};

/* Creates a task for a call; copies the parameters 'in' (may be NULL). 'method' is the method's name. */
struct task *task_new(struct manager *manager, struct varlink_call *call, const char *method, const void *in);
/* Send the final reply or an error, and free the task. 'out' is the method's struct, borrowed. */
void task_reply(struct task *task, const void *out);
void task_fail(struct task *task, const struct error *e);
/* Sends one reply of a stream; does nothing when the caller has not set 'more'. */
void task_notify(struct task *task, const void *out);

/* Has the functions below select the container by its id, which they check to be of the replica. 'id' NULL:
 * by the name of the slot. */
void task_select_id(struct task *task, const char *id);

/* Inspects the container in a slot of a replica, and calls 'then' with it (borrowed; NULL: no such container
 * exists). An error ends the task. */
void task_with_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                         void (*then)(struct task *task, struct driver_container *container));
/* Does the same for a call that changes a container or reads its output: when the container does not belong
 * to this tree, the task ends with CONFLICT. */
void task_with_own_container(struct task *task, const char *instance, int64_t replica_id, int slot,
                             void (*then)(struct task *task, struct driver_container *container));
/* Makes the error for a container that does not belong to this tree. Returns −EEXIST (conflict). */
int container_conflict(const struct driver_container *c, struct error *e);

/* Runs a failpoint around an act. Returns true when a test made it fail; the task has then ended. */
bool task_failpoint(struct task *task, const char *name);

/* Replies without members, or with the error: a runtime_answer_fn for operations without a result. 'userdata'
 * is the task. */
void task_answer(struct runtime_result *result, const struct error *e, void *userdata);
